/* Files of a configuration: reading them, what they include, paths relative to the file that names them. */
#include "config/schema.h"
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_SIZE_MAX   (128u << 20)
#define INCLUDED_MAX    4096
#define INCLUDE_DEPTH   8
#define MERGED_LEVELS   2 /* sections, and the lists and maps right below them */

struct loading {
	struct compile *c;
	struct {
		dev_t device;
		ino_t inode;
	} seen[INCLUDED_MAX];
	uint32_t n;
	int depth;
};

/* --- reading -------------------------------------------------------------------------------------------------- */

static struct span read_all(struct compile *c, int fd, size_t max, int *ret_error)
{
	size_t n = 0, cap = 64 * 1024;
	char *buf = malloc(cap);
	struct span none = { NULL, 0 };
	*ret_error = buf ? 0 : ENOMEM;
	while (!*ret_error) {
		ssize_t got = read(fd, buf + n, cap - n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			*ret_error = errno;
		if (got <= 0)
			break;
		n += (size_t)got;
		if (n > max)
			*ret_error = EFBIG;
		char *more = n == cap ? realloc(buf, cap *= 2) : buf;
		if (more)
			buf = more;
		else
			*ret_error = ENOMEM;
	}
	struct span text = *ret_error ? none : arena_text(&c->arena, (struct span){ buf, n });
	free(buf);
	return text;
}

struct span files_text(struct compile *c, const char *path, size_t max, int *ret_error)
{
	struct span none = { NULL, 0 };
	int fd = c->sealed ? -1 : open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		*ret_error = c->sealed ? EACCES : errno;
		return none;
	}
	struct span text = read_all(c, fd, max, ret_error);
	close(fd);
	return text;
}

/* --- paths ---------------------------------------------------------------------------------------------------- */

static struct span directory_of(const char *file)
{
	const char *slash = strrchr(file, '/');
	return slash ? (struct span){ file, (size_t)(slash - file) + 1 } : (struct span){ "", 0 };
}

/* as the user would write it, from where he stands */
static const char *join(struct compile *c, const char *file, struct span path)
{
	struct span directory = path.n && path.p[0] == '/' ? (struct span){ "", 0 } : directory_of(file);
	char *joined = arena_alloc(&c->arena, directory.n + path.n + 1);
	memcpy(joined, directory.p, directory.n);
	memcpy(joined + directory.n, path.p, path.n);
	return joined;
}

/* takes "." and ".." out of an absolute path whose leading part has no symbolic links */
static struct span without_dots(struct compile *c, const char *path)
{
	char *out = arena_alloc(&c->arena, strlen(path) + 2);
	size_t n = 0;
	while (*path) {
		size_t part = strcspn(path, "/");
		if (part == 2 && path[0] == '.' && path[1] == '.') {
			while (n && out[--n] != '/')
				;
		} else if (part && !(part == 1 && path[0] == '.')) {
			out[n++] = '/';
			memcpy(out + n, path, part);
			n += part;
		}
		path += part + (path[part] == '/');
	}
	if (!n)
		out[n++] = '/';
	out[n] = 0;
	return (struct span){ out, n };
}

struct span files_resolve(struct compile *c, struct mark at, struct span path)
{
	const char *file = errors_file_name(c->errors, at.file);
	struct span directory = directory_of(file);
	char absolute[PATH_MAX], *joined = NULL;
	if (!path.n || path.p[0] == '/')
		return path.n ? without_dots(c, path.p) : path;
	const char *from = directory.n ? arena_text(&c->arena, directory).p : ".";
	if (c->sealed || !realpath(from, absolute))
		snprintf(absolute, sizeof(absolute), "%s", directory.n && directory.p[0] == '/' ? from : "/");
	if (asprintf(&joined, "%s/%.*s", absolute, (int)path.n, path.p) < 0)
		abort();
	struct span resolved = without_dots(c, joined);
	free(joined);
	return resolved;
}

/* --- include -------------------------------------------------------------------------------------------------- */

static struct node *load_file(struct loading *l, const char *name, const struct input *from, int *ret_error);

static void take_entries(struct node *root, struct node *more)
{
	for (struct node *n = more->first, *next; n; n = next) {
		next = n->next;
		if (!span_eq(n->key->text, SPAN("include")))
			node_append(root, n->key, n);
	}
}

struct including {
	struct loading *loading;
	struct node *root;
	const char *file;
};

static void include_pattern(const struct input *in, void *context)
{
	struct including *including = context;
	struct compile *c = in->c;
	glob_t found;
	int error, r = glob(join(c, including->file, in->text), 0, NULL, &found);
	if (r == GLOB_NOMATCH && strpbrk(in->text.p, "*?[") == NULL)
		value_wrong(in, "does not exist", "");
	else if (r && r != GLOB_NOMATCH)
		value_wrong(in, "cannot be searched", "");
	for (size_t i = 0; !r && i < found.gl_pathc; i++) {
		struct node *more = load_file(including->loading, found.gl_pathv[i], in, &error);
		if (more)
			take_entries(including->root, more);
	}
	if (!r || r == GLOB_NOMATCH)
		globfree(&found);
}

/* the root without its `include`, and with all that it names */
static struct node *with_included(struct loading *l, struct node *root, const char *file)
{
	const struct node *include = node_get(root, "include");
	struct place place = { NULL, SPAN("include"), 0, false };
	struct compile *c = l->c;
	struct node *all;
	if (!include)
		return root;
	all = node_new(&c->arena, NODE_MAP, root->at);
	take_entries(all, root);
	struct including including = { l, all, file };
	if (c->sealed)
		errors_add(c->errors, include->at, &place, "files cannot be included here");
	else
		schema_each(c, include, &place, include_pattern, &including);
	return all;
}

/* a file may come only once: a second time would repeat all its keys, a circle would never end */
static bool first_time(struct loading *l, int fd)
{
	struct stat s;
	if (fstat(fd, &s) < 0 || l->n == INCLUDED_MAX)
		return false;
	for (uint32_t i = 0; i < l->n; i++)
		if (l->seen[i].device == s.st_dev && l->seen[i].inode == s.st_ino)
			return false;
	l->seen[l->n].device = s.st_dev;
	l->seen[l->n].inode = s.st_ino;
	l->n++;
	return true;
}

static struct span open_and_read(struct loading *l, const char *name, const char **ret_why, int *ret_error)
{
	struct span none = { NULL, 0 };
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	*ret_error = fd < 0 ? errno : 0;
	if (fd < 0) {
		*ret_why = strerror(*ret_error);
		return none;
	}
	struct span text = none;
	if (l->depth == INCLUDE_DEPTH)
		*ret_why = "included too deeply";
	else if (!first_time(l, fd))
		*ret_why = "is included already";
	else if (text = read_all(l->c, fd, FILE_SIZE_MAX, ret_error), *ret_error)
		*ret_why = strerror(*ret_error);
	close(fd);
	return text;
}

static struct node *load_file(struct loading *l, const char *name, const struct input *from, int *ret_error)
{
	struct compile *c = l->c;
	const char *why = "";
	struct span text = open_and_read(l, name, &why, ret_error);
	if (!text.p) {
		if (from)
			errors_add(c->errors, from->at, from->place, "%s: %s", name, why);
		else
			errors_add(c->errors, (struct mark){ errors_file(c->errors, name), 0, 0 }, NULL,
				"cannot be read: %s", why);
		return NULL;
	}
	uint32_t file = errors_file(c->errors, name);
	struct node *root = yaml_read(&c->arena, file, text, c->errors);
	if (!root)
		return NULL;
	l->depth++;
	root = with_included(l, root, errors_file_name(c->errors, file));
	l->depth--;
	return root;
}

struct node *files_load(struct compile *c, const char *name, int *ret_error)
{
	struct loading *l = calloc(1, sizeof(*l));
	if (!l)
		abort();
	l->c = c;
	struct node *root = load_file(l, name, NULL, ret_error);
	free(l);
	if (root)
		node_merge(root, c->errors, MERGED_LEVELS);
	return root;
}

struct node *files_load_text(struct compile *c, const char *name, struct span text)
{
	struct loading *l = calloc(1, sizeof(*l));
	if (!l)
		abort();
	l->c = c;
	struct node *root = yaml_read(&c->arena, errors_file(c->errors, name), text, c->errors);
	if (root)
		root = with_included(l, root, name);
	free(l);
	if (root)
		node_merge(root, c->errors, MERGED_LEVELS);
	return root;
}
