#include "media-proxy/worker.h"
#include "media-proxy/relay.h"
#include <stdlib.h>

int media_main(struct env *e)
{
	struct relay *relay = NULL;
	int r = env_start(e);
	if (r) {
		log_error("cannot start: %s", strerror(-r));
		return EXIT_FAILURE;
	}
	r = relay_new(e, &relay);
	if (r) {
		log_error("cannot relay: %s", strerror(-r));
		env_done(e);
		return EXIT_FAILURE;
	}
	env_ready(e);
	r = env_run(e);
	relay_free(relay);
	env_done(e);
	return r;
}
