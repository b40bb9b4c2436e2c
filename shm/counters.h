/* Counters of a process (region_head.counter): statistics for people, never the basis of a decision. */
#ifndef TANDEM_SHM_COUNTERS_H
#define TANDEM_SHM_COUNTERS_H
#include "shm/region.h"

/* X(enum, metric name, help) */
#define COUNTERS(X)                                                                                         \
	X(COUNT_DATAGRAMS_IN, "sip_datagrams_received_total", "SIP datagrams read")                         \
	X(COUNT_DATAGRAMS_OUT, "sip_datagrams_sent_total", "SIP datagrams sent")                            \
	X(COUNT_SEND_FAILED, "sip_send_failed_total", "datagrams the kernel refused")                       \
	X(COUNT_HANDED_OVER, "sip_handed_over_total", "datagrams passed to the worker they belong to")      \
	X(COUNT_HANDED_LOST, "sip_handed_over_dropped_total", "datagrams dropped because that worker's ring was full") \
	X(COUNT_MALFORMED, "sip_malformed_total", "messages that could not be read")                        \
	X(COUNT_STRAY, "sip_stray_total", "messages that belong to nothing")                                \
	X(COUNT_UNAUTHORISED, "sip_unauthorised_total", "requests from unknown sources")                    \
	X(COUNT_RESENT, "sip_resent_total", "messages sent again by timer")                                 \
	X(COUNT_REPEATED, "sip_repeated_total", "repeated messages received")                               \
	X(COUNT_CALLS, "calls_total", "calls admitted")                                                     \
	X(COUNT_ATTEMPTS, "attempts_total", "attempts made")                                                \
	X(COUNT_ANSWERED, "calls_answered_total", "calls answered")                                         \
	X(COUNT_REFUSED, "calls_refused_total", "calls refused without an attempt")                         \
	X(COUNT_ADOPTED, "calls_adopted_total", "calls taken over from a dead worker")                      \
	X(COUNT_OVERLOADED, "calls_overloaded_total", "calls refused because a table was full or the worker late") \
	X(COUNT_RTP_IN, "rtp_packets_received_total", "RTP and RTCP packets read")                          \
	X(COUNT_RTP_OUT, "rtp_packets_sent_total", "RTP and RTCP packets sent")                             \
	X(COUNT_RTP_DROPPED, "rtp_packets_dropped_total", "packets from a wrong source, malformed or for no leg") \
	X(COUNT_RTP_SEND_FAILED, "rtp_send_failed_total", "packets the kernel refused")                     \
	X(COUNT_CDRS, "cdrs_written_total", "records written to files")                                     \
	X(COUNT_CDR_ERRORS, "cdr_write_errors_total", "failed writes of records, each tried again")         \
	X(COUNT_CDRS_DAMAGED, "cdrs_damaged_total", "journal entries left out because they could not be read")      \
	X(COUNT_LOG_DROPPED, "log_lines_dropped_total", "log lines nobody took") \
	X(COUNT_POISONED, "poisoned_total", "calls, datagrams and messages left out because workers died of them") \
	X(COUNT_DAMAGED, "calls_damaged_total", "calls ended because their records were damaged when they were taken over") \
	X(COUNT_REGISTERS, "registrations_requests_total", "REGISTER requests sent, without resends") \
	X(COUNT_REGISTERED, "registrations_granted_total", "registrations and refreshes that were granted") \
	X(COUNT_REGISTER_FAILED, "registrations_failed_total", "registrations and refreshes that failed") \
	X(COUNT_REGISTRATIONS_ADOPTED, "registrations_adopted_total", "registrations taken over from a dead registrar") \
	X(COUNT_IGNORED, "sip_ignored_total", "datagrams of banned sources dropped unread") \
	X(COUNT_PINGS, "sip_pings_total", "datagrams that are no messages: CRLF, zeroes, nothing") \
	X(COUNT_BANNED_GARBAGE, "sources_banned_garbage_total", "sources banned for messages that could not be read") \
	X(COUNT_BANNED_UNAUTHORISED, "sources_banned_unauthorised_total", "sources banned for unauthorised requests") \
	X(COUNT_BANNED_NAMES, "sources_banned_names_total", "sources banned for naming unknown accounts") \
	X(COUNT_ENDPOINT_REGISTERED, "endpoint_registrations_total", "REGISTER requests of endpoints that were granted") \
	X(COUNT_ENDPOINT_REFUSED, "endpoint_registrations_refused_total", "REGISTER requests with right credentials that were refused") \
	X(COUNT_ENDPOINTS_EXPIRED, "endpoints_expired_total", "contacts of endpoints that were not refreshed in time") \
	X(COUNT_ENDPOINTS_RESTORED, "endpoints_restored_total", "contacts of endpoints read from state_dir") \
	X(COUNT_STATE_ERRORS, "state_write_errors_total", "failed writes to state_dir, each tried again") \
	X(COUNT_KEEP_ALIVES, "keep_alives_sent_total", "keep-alives sent to endpoints behind NAT") \
	X(COUNT_KEEP_ALIVES_MISSED, "keep_alives_missed_total", "endpoints that a keep-alive pass did not get to") \
	X(COUNT_CHALLENGED, "sip_challenged_total", "requests that were asked for credentials") \
	X(COUNT_AUTHENTICATED, "sip_authenticated_total", "requests with right credentials") \
	X(COUNT_WRONG_PASSWORDS, "sip_wrong_passwords_total", "requests with wrong credentials") \
	X(COUNT_AUTH_REFUSED, "sip_authentication_refused_total", "requests refused because of too many challenges, a time-out or a suspension") \
	X(COUNT_SUSPENDED, "suspensions_total", "terminals and sources suspended") \
	X(COUNT_SHED, "sip_shed_total", "new INVITEs dropped unread because the receive buffer was nearly full")

enum counter {
#define X(id, name, help) id,
	COUNTERS(X)
#undef X
	COUNTER_COUNT
};
#define count_one(head, id) stat_add(&(head)->counter[id], 1)
#define count_add(head, id, n) stat_add(&(head)->counter[id], (n))
#endif
