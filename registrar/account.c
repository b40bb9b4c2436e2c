/* An entry of the configuration as its record keeps it. */
#include "registrar/registrar.h"

void account_fill(const struct config *c, const struct cfg_registration *r, struct registration_account *ret_account)
{
	const struct cfg_text texts[ACCOUNT_TEXTS] = { [ACCOUNT_HOST] = r->proxy_host,
		[ACCOUNT_DOMAIN] = r->domain,
		[ACCOUNT_REALM] = r->realm,
		[ACCOUNT_HOST_NAME] = r->host_name,
		[ACCOUNT_USERNAME] = r->username,
		[ACCOUNT_AUTH_USER] = r->auth_user,
		[ACCOUNT_PASSWORD] = r->password };
	struct registration_account *a = ret_account;
	size_t at = 0;
	memset(a, 0, sizeof *a); /* whole records are compared */
	a->proxy = r->proxy;
	a->transport = r->proxy_transport;
	a->proxy_port = r->proxy_port;
	a->port = r->port;
	a->period = r->period;
	a->privacy = r->privacy;
	for (size_t i = 0; i < ACCOUNT_TEXTS; i++) {
		struct span text = cfg_span(c, texts[i]);
		if (text.n > sizeof a->text - at)
			text.n = 0; /* the configuration's limits add up to less */
		memcpy(a->text + at, text.p, text.n);
		a->n[i] = (uint16_t)text.n;
		at += text.n;
	}
}

bool account_same_identity(const struct registration_account *a, const struct registration_account *b)
{
	static const enum registration_text texts[] = { ACCOUNT_HOST, ACCOUNT_DOMAIN, ACCOUNT_HOST_NAME, ACCOUNT_USERNAME };
	if (a->transport != b->transport || a->proxy_port != b->proxy_port || a->port != b->port || !addr_eq(&a->proxy, &b->proxy))
		return false;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		if (!span_eq(registration_text(a, texts[i]), registration_text(b, texts[i])))
			return false;
	return true;
}

bool account_equal(const struct registration_account *a, const struct registration_account *b)
{
	return memcmp(a, b, sizeof *a) == 0;
}
