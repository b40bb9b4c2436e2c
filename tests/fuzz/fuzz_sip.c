/* The message reader, the ids and the steering rule against any datagram. Beyond "no crash": what was read can be read
 * again from a response made of it, and whose it is does not depend on how it was written. */
#include "base/out.h"
#include "sip/msg.h"
#include "signaling/steer.h"
#include "sip/token.h"
#include <errno.h>
#include <stdlib.h>

#define WORKERS 5u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const struct hash_key key = { 1, 2 };
static const char instance[8] = "ab2z";
static struct msg_parser *parser, *second;
static uint8_t partition[STEER_PARTITIONS];

static void require(bool fact)
{
	if (!fact)
		abort();
}

static void set_up(void)
{
	const struct msg_limits limits = { .message = 65535 }, none = { 0 };
	if (parser)
		return;
	parser = msg_parser_new(&limits);
	second = msg_parser_new(&none);
	require(parser && second);
	for (unsigned i = 0; i < STEER_PARTITIONS; i++)
		partition[i] = (uint8_t)(i % WORKERS);
}

/* reads every byte, for the sanitizers */
static void touch(struct span s)
{
	static volatile char last;
	for (size_t i = 0; i < s.n; i++)
		last = s.p[i];
	(void)last;
}

static void touch_params(struct span params)
{
	struct span v = { NULL, 0 };
	touch(params);
	if (msg_param(params, SPAN("expires"), &v) || msg_param(params, SPAN("q"), &v))
		touch(v);
}

static void touch_uri(const struct msg_uri *u)
{
	struct addr a;
	touch(u->text);
	touch(u->user_raw);
	touch(u->host);
	touch_params(u->params);
	touch(u->headers);
	touch(uri_user(u));
	require(u->user_n <= MSG_USER_BYTES);
	if (uri_addr(u, &a) == 0)
		require(a.port && a.family);
}

static void touch_address(const struct msg_address *a)
{
	touch(a->value);
	touch(a->display);
	touch(a->uri);
	touch(a->tag);
	touch_params(a->params);
	touch_uri(&a->u);
}

static void touch_options(const struct msg_options *o)
{
	require(o->n <= MSG_OPTIONS);
	for (uint32_t i = 0; i < o->n; i++)
		touch(o->v[i]);
	(void)msg_has_option(o, SPAN("100rel"));
}

static void touch_values(const struct span *list, uint32_t n, uint32_t max)
{
	struct msg_address a;
	require(n <= max);
	for (uint32_t i = 0; i < n; i++) {
		touch(list[i]);
		if (address_parse(list[i], &a) == 0)
			touch_address(&a);
	}
}

static void touch_message(const struct msg *m)
{
	touch(m->uri);
	touch(m->method_text);
	touch(m->status_reason);
	touch(m->content_type_value);
	touch(m->body);
	touch(m->reason);
	touch(m->privacy);
	touch_values(m->vias, m->n_vias, MSG_VIAS);
	touch_values(m->routes, m->n_routes, MSG_ROUTES);
	touch_values(m->record_routes, m->n_record_routes, MSG_ROUTES);
	touch_values(m->diversions, m->n_diversions, MSG_DIVERSIONS);
	touch_options(&m->supported);
	touch_options(&m->require);
	touch_options(&m->proxy_require);
	touch_options(&m->allow);
	require(m->n_contacts <= MSG_CONTACTS && m->n_identities <= MSG_IDENTITIES && m->n_others <= MSG_OTHERS);
	for (uint32_t i = 0; i < m->n_identities; i++)
		touch_address(&m->identities[i]);
	if (m->has_remote_party_id)
		touch_address(&m->remote_party_id);
	for (uint32_t i = 0; i < m->n_others; i++) {
		touch(m->others[i].name);
		touch(m->others[i].value);
	}
	touch(msg_other(m, SPAN("Subject")));
	(void)msg_type_is(m, SPAN("application/sdp"));
}

/* ids in the message, and ids made of what is in it */
static void try_tokens(const struct msg *m, const uint8_t *data, size_t n)
{
	struct token t = { 0 }, back = { 0 };
	uint32_t number;
	char text[BRANCH_TEXT];
	if (call_id_read(&key, instance, m->call_id, &t) == 0)
		require(call_id_worker(m->call_id, instance) == t.worker);
	(void)branch_read(&key, m->via.branch, &t, &number);
	(void)tag_read(&key, m->to.tag, &t);
	uint64_t h = hash_sip(&key, data, n);
	t = (struct token){ (uint8_t)h, (uint8_t)(h >> 8), (uint32_t)(h >> 16) & TOKEN_SLOT_MAX, (uint32_t)(h >> 40) };
	token_make(&key, 'x', &t, text);
	require(token_read(&key, 'x', (struct span){ text, TOKEN_TEXT }, &back) == 0 && back.slot == t.slot);
	size_t length = branch_make(&key, &t, (uint32_t)h, text);
	require(branch_read(&key, (struct span){ text, length }, &back, &number) == 0 && number == (uint32_t)h);
	length = tag_make(&key, &t, text);
	require(tag_read(&key, (struct span){ text, length }, &back) == 0 && back.generation == t.generation);
	length = call_id_make(&key, instance, &t, text);
	require(call_id_read(&key, instance, (struct span){ text, length }, &back) == 0 && back.worker == t.worker);
}

static uint32_t owner(struct span call_id)
{
	uint32_t worker = call_id_worker(call_id, instance);
	if (worker == UINT32_MAX)
		worker = partition[steer_hash(call_id.p, call_id.n)];
	return worker < WORKERS ? worker : UINT32_MAX;
}

static void put_line(struct out *o, struct span name, struct span value)
{
	out_span(o, name);
	out_span(o, value);
	out_lit(o, "\r\n");
}

static void answer(const struct msg *m, int result)
{
	static char buf[70000];
	static struct msg again;
	const char *error;
	struct out o = out_init(buf, sizeof(buf));
	out_lit(&o, "SIP/2.0 400 Bad Request\r\n");
	put_line(&o, SPAN("Call-ID: "), m->call_id);
	for (uint32_t i = 0; i < m->n_vias; i++)
		put_line(&o, SPAN("Via: "), m->vias[i]);
	put_line(&o, SPAN("From: "), m->from.value);
	put_line(&o, SPAN("To: "), m->to.value);
	put_line(&o, SPAN("CSeq: "), m->cseq_value);
	out_lit(&o, "Content-Length: 0\r\n\r\n");
	require(!o.full);
	int r = msg_parse(second, buf, o.n, &again, &error);
	if (result < 0 || o.n > 65535)
		return;
	require(r == 0 && again.status == 400 && again.n_vias == m->n_vias && again.cseq == m->cseq);
	require(again.method == m->method && span_eq(again.call_id, m->call_id) &&
		span_eq(again.via.branch, m->via.branch));
	require(span_eq(again.from.tag, m->from.tag) && span_eq(again.to.tag, m->to.tag));
	require(steer_worker(buf, o.n, partition, instance, WORKERS) == owner(m->call_id));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct msg m;
	const char *error = NULL, *text = (const char *)data;
	set_up();
	memset(&m, 0xa5, sizeof(m)); /* nothing may depend on what was there */
	(void)steer_worker(text, n, partition, instance, WORKERS);
	int r = msg_parse(parser, text, n, &m, &error);
	if (r == -ENODATA)
		return 0;
	require((r == 0) == (error == NULL));
	if (r == 0) {
		require(m.answerable && m.method != METHOD_NONE);
		touch_uri(&m.ruri);
		touch_address(&m.from);
		touch_address(&m.to);
		for (uint32_t i = 0; i < m.n_contacts; i++)
			touch_address(&m.contacts[i]);
	}
	touch_message(&m);
	try_tokens(&m, data, n);
	if (m.answerable)
		answer(&m, r);
	return 0;
}
