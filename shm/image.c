#include "shm/env.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define IMAGE_SEALS (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW)

static int write_all(int fd, const char *p, size_t size)
{
	while (size) {
		ssize_t n = write(fd, p, size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		p += n;
		size -= (size_t)n;
	}
	return 0;
}

int image_make(const char *name, const void *p, size_t size, int *ret_fd)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	int r = write_all(fd, p, size);
	if (!r && fcntl(fd, F_ADD_SEALS, IMAGE_SEALS | F_SEAL_SEAL) < 0)
		r = -errno;
	if (r)
		close(fd);
	else
		*ret_fd = fd;
	return r;
}

int image_map(int fd, struct image *ret_image)
{
	struct stat st;
	int r = -EPERM, seals = fcntl(fd, F_GET_SEALS);
	if (seals < 0 || fstat(fd, &st) < 0)
		r = -errno;
	else if ((seals & IMAGE_SEALS) == IMAGE_SEALS) {
		/* private: kernels before 6.7 refuse a shared mapping of a write-sealed file even for reading */
		void *p = st.st_size ? mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
		if (p != MAP_FAILED) {
			*ret_image = (struct image){ .p = p, .size = (size_t)st.st_size, .fd = fd };
			return 0;
		}
		r = st.st_size ? -errno : -EINVAL;
	}
	if (fd >= 0)
		close(fd);
	return r;
}

void image_unmap(struct image *i)
{
	if (!i->p)
		return;
	munmap((void *)(uintptr_t)i->p, i->size);
	close(i->fd);
	*i = (struct image){ .fd = -1 };
}
