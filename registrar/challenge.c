/* Challenges of upstreams and our answers (sip/digest.h). One of the registrar (401) and one of a proxy before it (407) are kept;
 * later requests carry credentials from the start. */
#include "registrar/registrar.h"
#include "sip/digest.h"

enum { OF_REGISTRAR, OF_PROXY };

static struct span kept(const struct registration_challenge *k)
{
	return (struct span){ k->text, k->n <= sizeof k->text ? k->n : 0 };
}

/* the first that we can answer (RFC 8760 section 2.4) and may */
static bool find(const struct job *j, const struct msg *m, struct digest_challenge *ret_challenge, struct span *ret_value, const char **ret_error)
{
	struct span name = m->status == 401 ? SPAN("WWW-Authenticate") : SPAN("Proxy-Authenticate"), realm = job_text(j, ACCOUNT_REALM);
	*ret_error = "no challenge that can be answered";
	for (uint32_t i = 0; i < m->n_others; i++) {
		*ret_value = m->others[i].value;
		if (!span_ieq(m->others[i].name, name) || ret_value->n > REGISTRATION_CHALLENGE || digest_read(*ret_value, ret_challenge) < 0)
			continue;
		if (!realm.n || span_eq(realm, ret_challenge->realm))
			return true;
		*ret_error = "the challenge is of another realm";
	}
	return false;
}

bool challenge_keep(struct job *j, const struct msg *m, const char **ret_error)
{
	struct registration_challenge *k = &j->s.challenge[m->status == 401 ? OF_REGISTRAR : OF_PROXY];
	struct digest_challenge c, before;
	struct span value;
	if (!job_text(j, ACCOUNT_PASSWORD).n) {
		*ret_error = "there is no password";
		return false;
	}
	if (!find(j, m, &c, &value, ret_error))
		return false;
	if (k->answered && (!c.stale || k->answered > 1)) {
		*ret_error = "the credentials are refused";
		return false;
	}
	if (!k->n || digest_read(kept(k), &before) < 0 || !span_eq(before.nonce, c.nonce))
		k->nc = 0;
	memcpy(k->text, value.p, value.n);
	k->n = (uint16_t)value.n;
	k->answered++;
	*ret_error = NULL;
	return true;
}

static void out_one(struct job *j, struct registration_challenge *k, struct out *o, struct span uri)
{
	struct digest_challenge c;
	char text[16];
	struct out cnonce = out_init(text, sizeof text);
	struct {
		uint64_t id;
		uint32_t generation, cseq;
	} seed = { j->r->id_hash, j->r->slot.generation, j->s.cseq };
	if (!k->n || digest_read(kept(k), &c) < 0)
		return;
	k->nc++;
	out_hex(&cnonce, hash_sip(&j->g->private_key, &seed, sizeof seed), 16);
	struct digest_user user = { job_text(j, ACCOUNT_AUTH_USER), job_text(j, ACCOUNT_PASSWORD) };
	struct digest_request r = { SPAN("REGISTER"), uri, out_done(&cnonce), k->nc };
	if (k == &j->s.challenge[OF_REGISTRAR])
		out_lit(o, "Authorization: ");
	else
		out_lit(o, "Proxy-Authorization: ");
	digest_write(&c, &user, &r, o);
	out_lit(o, "\r\n");
}

void challenge_out(struct job *j, struct out *o, struct span uri)
{
	out_one(j, &j->s.challenge[OF_REGISTRAR], o, uri);
	out_one(j, &j->s.challenge[OF_PROXY], o, uri);
}
