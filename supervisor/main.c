/* `tandem`: options, the check of a configuration, and the supervisor. */
#include "base/log.h"
#include "supervisor/compiler.h"
#include "supervisor/program.h"
#include "supervisor/supervisor.h"
#include "supervisor/title.h"
#include "tandem-config.h"
#include <stdio.h>
#include <unistd.h>

#define EX_USAGE_HERE 2
#define EX_CONFIG     78

static int check(const char *file)
{
	struct compiler compiler = { .sock = -1 };
	struct image image = { .fd = -1 };
	int r = compiler_start(file, 1, &compiler);
	if (r == 0)
		r = compiler_wait(&compiler, &image);
	if (compiler.errors)
		fputs(compiler.errors, stderr);
	else if (r)
		fprintf(stderr, "%s: the configuration could not be read: %s\n", file, strerror(-r));
	const struct config *c = image.p;
	for (uint32_t i = 0; r == 0 && i < c->not_built.n; i++)
		printf("%s: accepted, but without effect in this version\n",
			cfg_str(c, CFG_LIST(c, &c->not_built, struct cfg_text)[i]));
	compiler_done(&compiler);
	image_unmap(&image);
	return r ? EX_CONFIG : 0;
}

static int layout(void)
{
	struct program_layout l;
	char text[160];
	program_layout(&l);
	if (program_format(&l, text, sizeof(text)))
		return 1;
	return fputs(text, stdout) == EOF || fflush(stdout) == EOF;
}

int main(int argc, char **argv)
{
	struct options o;
	char why[256];
	if (options_parse(argc, argv, &o, why, sizeof(why))) {
		fprintf(stderr, "tandem: %s\nTry tandem --help.\n", why);
		return EX_USAGE_HERE;
	}
	log_init("supervisor", LOG_TEXT, LOG_INFO, STDERR_FILENO);
	switch (o.mode) {
	case OPTIONS_HELP:
		fputs(options_help, stdout);
		return 0;
	case OPTIONS_VERSION:
		puts("tandem " TANDEM_VERSION);
		return 0;
	case OPTIONS_LAYOUT:
		return layout();
	case OPTIONS_CHECK:
		return check(o.file);
	default:
		break;
	}
	title_init(argc, argv);
	return supervisor_run(&o);
}
