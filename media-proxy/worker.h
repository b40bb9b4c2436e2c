/* A media worker: relays the packets of its port pairs. It holds no state of its own: legs are read from the signalling
 * workers' regions, flows live in its own region and are carried on by its successor. */
#ifndef TANDEM_MEDIA_PROXY_WORKER_H
#define TANDEM_MEDIA_PROXY_WORKER_H
#include "media-proxy/sockets.h" /* for the supervisor, which opens them before it forks */
#include "shm/env.h"

int media_main(struct env *e); /* after fork; returns the exit code */
#endif
