/* Files: include, secrets, relative paths. */
#include "helper.h"
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];

static void write_file(const char *name, const char *text)
{
	char path[256];
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	FILE *f = fopen(path, "w");
	cr_assert(f);
	fputs(text, f);
	fclose(f);
}

static void setup(void)
{
	char path[256];
	snprintf(dir, sizeof(dir), "/tmp/tandem-test-config-XXXXXX");
	cr_assert(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/conf.d", dir);
	cr_assert_eq(mkdir(path, 0700), 0);
}

static void teardown(void)
{
	char command[128];
	snprintf(command, sizeof(command), "rm -r %s", dir);
	cr_assert_eq(system(command), 0);
}

TestSuite(files, .init = setup, .fini = teardown);

static struct compiled compile_file(const char *name)
{
	char path[256];
	struct compiled r = { .errors = config_errors_new() };
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	r.result = config_compile(path, r.errors, &r.config, &r.size);
	return r;
}

static struct compiled accepted_file(const char *name)
{
	struct compiled r = compile_file(name);
	cr_assert_eq(r.result, 0, "%s", all_errors(&r));
	return r;
}

/* the n-th error is DIR/`rest` */
static void expect_error(const struct compiled *r, size_t n, const char *rest)
{
	char text[512];
	snprintf(text, sizeof(text), "%s/%s", dir, rest);
	cr_expect_str_eq(config_errors_text(r->errors, n), text);
}

Test(files, one)
{
	char path[256];
	write_file(
		"sw.yaml", LISTEN "system: {run_dir: run/../other, state_dir: /var/lib/x/./y}\ncdr: {dir: ../cdrs}\n");
	struct compiled r = accepted_file("sw.yaml");
	snprintf(path, sizeof(path), "%s/sw.yaml", dir);
	cr_expect_str_eq(cfg_str(r.config, r.config->file), path);
	snprintf(path, sizeof(path), "%s/other", dir);
	cr_expect_str_eq(cfg_str(r.config, r.config->system.run_dir), path);
	cr_expect_str_eq(cfg_str(r.config, r.config->system.state_dir), "/var/lib/x/y");
	cr_expect_str_eq(cfg_str(r.config, r.config->cdr.dir), "/tmp/cdrs");
	compiled_free(&r);
}

Test(files, relative_to_the_working_directory)
{
	char path[256];
	write_file("sw.yaml", LISTEN);
	cr_assert_eq(chdir(dir), 0);
	struct compiled r = { .errors = config_errors_new() };
	cr_assert_eq(config_compile("sw.yaml", r.errors, &r.config, &r.size), 0);
	snprintf(path, sizeof(path), "%s/cdr", dir);
	cr_expect_str_eq(cfg_str(r.config, r.config->cdr.dir), path);
	compiled_free(&r);
	cr_assert_eq(chdir("/"), 0);
}

Test(files, unreadable)
{
	struct compiled r = compile_file("missing.yaml");
	cr_expect_eq(r.result, -ENOENT);
	expect_error(&r, 0, "missing.yaml:0:0: cannot be read: No such file or directory");
	compiled_free(&r);
	r = compile_file("conf.d");
	cr_expect_eq(r.result, -EISDIR);
	compiled_free(&r);
}

Test(files, include_merges)
{
	write_file("sw.yaml", "include: [\"conf.d/*.yaml\"]\n" LISTEN
		"routing_gateways: [{id: main, address: 1.1.1.1}]\n"
		"log: {level: debug}\n");
	write_file("conf.d/a.yaml",
		"routing_gateways: [{id: a, address: 1.1.1.2}]\nlog: {format: json}\ncdr: {dir: cdr}\n");
	write_file("conf.d/b.yaml", "routing_gateways:\n- {id: b, address: 1.1.1.3}\nmapping_gateways:\n"
		"- {id: m, addresses: 1.1.1.1, routes: {allow: [a, main]}}\n"
		"sip: {listen: \"udp:127.0.0.1:5062\"}\n");
	struct compiled r = compile_file("sw.yaml");
	cr_expect(strstr(config_errors_text(r.errors, 0), "conf.d/b.yaml:5:7: sip.listen: given twice, first at "));
	compiled_free(&r);
	write_file("conf.d/b.yaml", "routing_gateways:\n- {id: b, address: 1.1.1.3}\nmapping_gateways:\n"
		"- {id: m, addresses: 1.1.1.1, routes: {allow: [a, main]}}\n"
		"sip: {listen: [\"udp:127.0.0.1:5062\"]}\n");
	r = accepted_file("sw.yaml");
	cr_assert_eq(r.config->routing_gateways.n, 3);
	cr_expect_str_eq(cfg_str(r.config, cfg_routing(r.config, 2)->id), "b");
	cr_expect_eq(r.config->sip.listen.n, 2);
	cr_expect(r.config->log.level == LOG_DEBUG && r.config->log.format == LOG_JSON);
	cr_expect(strstr(cfg_str(r.config, r.config->cdr.dir), "/conf.d/cdr"));
	const uint32_t *allow = CFG_LIST(r.config, &cfg_mapping(r.config, 0)->routes_allow, uint32_t);
	cr_expect(allow[0] == 1 && allow[1] == 0);
	compiled_free(&r);
}

Test(files, errors_of_every_file)
{
	write_file("sw.yaml", "include: \"conf.d/*.yaml\"\n" LISTEN
			      "log: {level: x}\nrouting_gateways: [{id: a, address: 1.1.1.1}]\n");
	write_file("conf.d/1.yaml", "routing_gateways:\n- {id: b, address: \"x:\"}\n- {id: a, address: 1.1.1.1}\n");
	write_file("conf.d/2.yaml", "log: {level: debug}\nfoo: [\n");
	write_file("conf.d/3.yaml", "foo: 1\n");
	struct compiled r = compile_file("sw.yaml");
	cr_assert_eq(config_errors_count(r.errors), 5, "%s", all_errors(&r));
	expect_error(&r, 0, "sw.yaml:3:14: log.level: x is not known here, allowed: error, warning, info, debug");
	expect_error(&r, 1,
		"conf.d/1.yaml:2:20: routing_gateways[b].address: x: is not a place to send to, allowed: IP, IP:PORT, "
		"[IPv6]:PORT, NAME, NAME:PORT");
	cr_expect(strstr(config_errors_text(r.errors, 2),
		"conf.d/1.yaml:3:8: routing_gateways[a].id: a is used twice, first at "));
	cr_expect(strstr(config_errors_text(r.errors, 3), "conf.d/2.yaml:3:1: not valid YAML"));
	expect_error(&r, 4, "conf.d/3.yaml:1:1: foo: unknown key");
	compiled_free(&r);
}

Test(files, include_that_cannot_be)
{
	write_file("sw.yaml", "include: [none.yaml, \"conf.d/*.none\", \"sw.yaml\", conf.d]\n" LISTEN);
	struct compiled r = compile_file("sw.yaml");
	cr_assert_eq(config_errors_count(r.errors), 3, "%s", all_errors(&r));
	expect_error(&r, 0, "sw.yaml:1:11: include[0]: none.yaml does not exist");
	cr_expect(strstr(config_errors_text(r.errors, 1), "sw.yaml: is included already"));
	cr_expect(strstr(config_errors_text(r.errors, 2), "conf.d: Is a directory"));
	compiled_free(&r);
	write_file("sw.yaml", "include: [a.yaml]\n" LISTEN);
	write_file("a.yaml", "include: [b.yaml]\n");
	write_file("b.yaml", "include: [a.yaml]\n");
	r = compile_file("sw.yaml");
	cr_expect(strstr(config_errors_text(r.errors, 0), "b.yaml:1:11: include[0]: "));
	cr_expect(strstr(config_errors_text(r.errors, 0), "a.yaml: is included already"));
	compiled_free(&r);
}

Test(files, include_too_deep)
{
	for (int i = 0; i < 12; i++) {
		char name[32], text[64];
		snprintf(name, sizeof(name), "%d.yaml", i);
		snprintf(text, sizeof(text), i ? "include: [%d.yaml]\n" : LISTEN "include: [%d.yaml]\n", i + 1);
		write_file(name, i == 11 ? "log: {}\n" : text);
	}
	struct compiled r = compile_file("0.yaml");
	cr_expect_eq(config_errors_count(r.errors), 1);
	cr_expect(strstr(config_errors_text(r.errors, 0), "8.yaml: included too deeply"), "%s", all_errors(&r));
	compiled_free(&r);
}

/* what is merged into a list does not appear in its alias */
Test(files, merging_leaves_aliases_alone)
{
	write_file("sw.yaml",
		"include: [a.yaml]\n" LISTEN "dial_plans: {p: &p [{match: \"1\", rewrite: \"2\"}], q: *p}\n");
	write_file("a.yaml", "dial_plans: {p: [{match: \"3\", rewrite: \"4\"}]}\n");
	struct compiled r = compile_file("sw.yaml");
	cr_assert_eq(config_errors_count(r.errors), 0, "%s", all_errors(&r));
	const struct cfg_dial_plan *plans = CFG_LIST(r.config, &r.config->dial_plans, struct cfg_dial_plan);
	cr_assert_eq(r.config->dial_plans.n, 2);
	cr_expect_eq(plans[0].rules.n, 2);
	cr_expect_eq(plans[1].rules.n, 1);
	compiled_free(&r);
}

#define UP(password) LISTEN "registrations:\n- {id: u, proxy: 1.2.3.4, username: u, password: " password "}\n"

static const char *password_of(const struct compiled *r)
{
	const struct cfg_registration *reg = CFG_LIST(r->config, &r->config->registrations, struct cfg_registration);
	return cfg_str(r->config, reg->password);
}

Test(files, secrets)
{
	write_file("pw", "from file\r\n");
	write_file("sw.yaml", UP("{file: pw}"));
	struct compiled r = accepted_file("sw.yaml");
	cr_expect_str_eq(password_of(&r), "from file");
	compiled_free(&r);

	setenv("TANDEM_TEST_SECRET", "from environment", 1);
	write_file("sw.yaml", UP("{env: TANDEM_TEST_SECRET}"));
	r = accepted_file("sw.yaml");
	cr_expect_str_eq(password_of(&r), "from environment");
	compiled_free(&r);

	write_file("sw.yaml", UP("plain"));
	r = accepted_file("sw.yaml");
	cr_expect_str_eq(password_of(&r), "plain");
	compiled_free(&r);
}

Test(files, secrets_that_cannot_be)
{
	static const struct {
		const char *text, *error;
	} rows[] = {
		{ UP("{file: nowhere}"), "cannot read" },
		{ UP("{env: TANDEM_TEST_UNSET}"),
			"sw.yaml:3:56: registrations[u].password: TANDEM_TEST_UNSET is not in the environment" },
		{ UP("{env: A, file: B}"), "a secret is a text, {file: PATH} or {env: NAME}" },
		{ UP("{}"), "a secret is a text, {file: PATH} or {env: NAME}" },
		{ UP("{file: [a]}"), "a secret is a text, {file: PATH} or {env: NAME}" },
		{ UP("[a]"), "a single value is expected, not a list" },
		{ UP("\"hidden\\nhidden\""), "registrations[u].password: the secret has a character" },
		{ UP("{file: empty}"), "registrations[u].password: the secret has 0 bytes, allowed: 1-255" },
	};
	write_file("empty", "\n");
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		write_file("sw.yaml", rows[i].text);
		struct compiled r = compile_file("sw.yaml");
		cr_expect(strstr(config_errors_text(r.errors, 0), rows[i].error), "%s instead of %s", all_errors(&r),
			rows[i].error);
		cr_expect_null(strstr(all_errors(&r), "hidden"));
		compiled_free(&r);
	}
	char big[5000];
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = 0;
	write_file("big", big);
	write_file("sw.yaml", UP("{file: big}"));
	struct compiled r = compile_file("sw.yaml");
	cr_expect(strstr(config_errors_text(r.errors, 0), "File too large"));
	compiled_free(&r);
}

Test(files, sealed_text_reads_nothing)
{
	static const char text[] = "include: [\"/etc/host*\"]\n" LISTEN
				   "registrations:\n- {id: a, proxy: 1.2.3.4, username: u, password: {env: HOME}}\n"
				   "- {id: b, proxy: 1.2.3.4, username: u, password: {file: /etc/hostname}}\n";
	const struct config_source source = { .name = "x/sw.yaml", .text = text, .n = sizeof(text) - 1,
		.sealed = true };
	struct compiled r = { .errors = config_errors_new() };
	r.result = config_compile_source(&source, r.errors, &r.config, &r.size);
	cr_expect_eq(config_errors_count(r.errors), 3, "%s", all_errors(&r));
	cr_expect_str_eq(config_errors_text(r.errors, 0), "x/sw.yaml:1:10: include: files cannot be included here");
	compiled_free(&r);
}

Test(files, length_of_run_dir)
{
	char text[256], path[128];
	memset(path, 'r', sizeof(path));
	path[0] = '/';
	path[90] = 0;
	snprintf(text, sizeof(text), LISTEN "system: {run_dir: %s}\n", path);
	struct compiled r = accepted(text);
	cr_expect_str_eq(cfg_str(r.config, r.config->system.run_dir), path);
	compiled_free(&r);
	path[90] = 'r';
	path[91] = 0;
	snprintf(text, sizeof(text), LISTEN "system: {run_dir: %s}\n", path);
	refuse(text, NULL);
}
