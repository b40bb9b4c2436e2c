/* The ids that we put into messages (Call-ID, branch, tag): they say which worker, slot and generation they belong to and
 * carry a keyed hash, so that whoever receives one knows the owner and nobody can make one up.
 *
 * 24 characters of base32 (a-z2-7) hold 15 bytes: worker, aux, slot (3), generation (4), 48 bits of SipHash over those
 * nine and the purpose. Reading takes either case.
 *
 *	Call-ID  "td" instance(4) token          30 characters. The first two of the token give the worker without the key:
 *	                                         the kernel's steering needs that (steer.bpf.c)
 *	branch   "z9hG4bKtd" token hex-number    the number tells transactions apart and is covered by the hash
 *	tag      "td" token                      26 characters */
#ifndef TANDEM_SIP_TOKEN_H
#define TANDEM_SIP_TOKEN_H
#include "base/hash.h"
#include "base/span.h"
#include <stdint.h>

#define TOKEN_TEXT   24u
#define CALL_ID_TEXT 30u
#define BRANCH_TEXT  41u /* at most: "z9hG4bKtd", token, eight hex digits */
#define TAG_TEXT     26u
#define TOKEN_SLOT_MAX 0xffffffu

/* `aux` of the ids in REGISTERs: slot and generation are those of shm/registration.h. Branches of calls have 0 there. */
#define TOKEN_REGISTRAR 0x40u

enum token_purpose { TOKEN_CALL_ID = 'c', TOKEN_BRANCH = 'b', TOKEN_TAG = 't', TOKEN_NONCE = 'n' };

struct token {
	uint8_t worker;
	uint8_t aux;         /* free for the maker: leg, kind of process, ... */
	uint32_t slot;       /* 24 bits */
	uint32_t generation;
};

/* `out` gets TOKEN_TEXT characters, no zero */
void token_make(const struct hash_key *key, char purpose, const struct token *t, char *out);
/* 0, or -EBADMSG: not one of ours (length, alphabet or hash) */
int token_read(const struct hash_key *key, char purpose, struct span text, struct token *ret_token);

/* `instance`: the first four characters of roster.instance. Each returns the length written, no zero. */
size_t call_id_make(const struct hash_key *key, const char *instance, const struct token *t, char out[CALL_ID_TEXT]);
size_t branch_make(const struct hash_key *key, const struct token *t, uint32_t number, char out[BRANCH_TEXT]);
size_t tag_make(const struct hash_key *key, const struct token *t, char out[TAG_TEXT]);
/* 0 or -EBADMSG */
int call_id_read(const struct hash_key *key, const char *instance, struct span text, struct token *ret_token);
int branch_read(const struct hash_key *key, struct span text, struct token *ret_token, uint32_t *ret_number);
int tag_read(const struct hash_key *key, struct span text, struct token *ret_token);
/* the worker named in a Call-ID that looks like ours; UINT32_MAX: a foreign one. Checks no hash. */
uint32_t call_id_worker(struct span text, const char *instance);
#endif
