/* Runs files through a fuzz target without libFuzzer, so that any compiler's build replays the corpus:
 *	replay_sip FOLDER... */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* in a block of just its size, so that the sanitizers see whoever reads beyond */
static int run_file(const char *path)
{
	long size;
	FILE *f = fopen(path, "rb");
	if (!f || fseek(f, 0, SEEK_END) < 0 || (size = ftell(f)) < 0 || fseek(f, 0, SEEK_SET) < 0) {
		perror(path);
		return -1;
	}
	uint8_t *data = malloc(size ? (size_t)size : 1);
	int r = data && fread(data, 1, (size_t)size, f) == (size_t)size ? 0 : -1;
	fclose(f);
	if (r == 0)
		LLVMFuzzerTestOneInput(data, (size_t)size);
	free(data);
	return r;
}

static int run_folder(const char *path, unsigned *count)
{
	struct dirent *e;
	int r = 0;
	DIR *d = opendir(path);
	if (!d) {
		perror(path);
		return -1;
	}
	while ((e = readdir(d))) {
		char file[4096];
		if (e->d_name[0] == '.')
			continue;
		snprintf(file, sizeof(file), "%s/%s", path, e->d_name);
		if (run_file(file) < 0)
			r = -1;
		++*count;
	}
	closedir(d);
	return r;
}

int main(int argc, char **argv)
{
	unsigned count = 0;
	for (int i = 1; i < argc; i++)
		if (run_folder(argv[i], &count) < 0)
			return 1;
	printf("%u files\n", count);
	return count ? 0 : 1;
}
