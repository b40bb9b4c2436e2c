/* The service manager's notification protocol (sd_notify(3)): a datagram to $NOTIFY_SOCKET; nothing when it is not set. */
#ifndef TANDEM_SUPERVISOR_SERVICE_H
#define TANDEM_SUPERVISOR_SERVICE_H
void service_ready(void);
void service_reloading(void); /* service_ready() follows */
void service_stopping(void);
void service_status(const char *format, ...) __attribute__((format(printf, 1, 2)));
#endif
