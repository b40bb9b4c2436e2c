/* Who is calling (routing: who is calling): a mapping gateway, known by its address; an account, by its credentials; or
 * somebody whose call arrives over one of our registrations with another provider. call.ingress names it by kind and index,
 * so that an index alone is never taken for a gateway's: whatever asks "below the number of mapping gateways" gets no for
 * the other kinds. call.account is the account whose credentials came with the call: its own kind's, or in addition to a
 * mapping gateway with `authentication: digest`. */
#ifndef TANDEM_SIGNALING_INGRESS_H
#define TANDEM_SIGNALING_INGRESS_H
#include "signaling/core.h"

enum ingress_kind { INGRESS_MAPPING, INGRESS_ACCOUNT, INGRESS_REGISTRATION, INGRESS_NOBODY }; /* CONFIG_NONE: nobody */
#define INGRESS_INDEX 0x3fffffffu /* as an index: was taken out of the configuration since */
static inline uint32_t ingress_of(enum ingress_kind kind, uint32_t index) { return (uint32_t)kind << 30 | (index & INGRESS_INDEX); }
static inline enum ingress_kind ingress_kind(uint32_t ingress) { return (enum ingress_kind)(ingress >> 30); }
static inline uint32_t ingress_index(uint32_t ingress) { return ingress & INGRESS_INDEX; }

enum ingress_verdict { INGRESS_KNOWN, INGRESS_STRANGER, INGRESS_ANSWERED }; /* answered: with a challenge, or with silence */
/* Whose INVITE is it. Lets the authentication answer what needs credentials. */
enum ingress_verdict ingress_identify(struct sig *g, const struct event *ev, uint32_t *ret_ingress, uint32_t *ret_account);

/* Settings of a known ingress: a mapping gateway's own; an account's keys and else, as for a registration, the defaults.
 * Points into the configuration or at `buffer`. */
const struct cfg_mapping_gateway *ingress_settings(const struct config *c, uint32_t ingress, struct cfg_mapping_gateway *buffer);
struct span ingress_id(const struct config *c, uint32_t ingress); /* n 0: nobody */
/* the ingress of that kind with that id, for after a reload */
uint32_t ingress_find(const struct config *c, enum ingress_kind kind, struct span id);
uint32_t ingress_media(const struct config *c, uint32_t ingress); /* enum cfg_media_mode */

/* Lines and calls per second: of the mapping gateway, and of the account. True when the call is counted in; false: over a
 * limit, nothing is counted. */
bool ingress_take(struct sig *g, uint32_t ingress, uint32_t account, uint64_t now);
void ingress_give(struct sig *g, uint32_t ingress, uint32_t account);
/* counts a running call, whatever the limits are now (adoption, reload) */
void ingress_count(struct sig *g, uint32_t ingress, uint32_t account);
#endif
