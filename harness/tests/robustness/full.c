/* A disk that is full from the MODRIG_FULL_FROM-th call on that would take space below one of MODRIG_FULL_BELOW, which
 * are separated by colons. Preloaded into modrig and what it starts; the count is shared by a file that lies elsewhere.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int is_below(const char *path)
{
	const char *place = getenv("MODRIG_FULL_BELOW");

	while (place && *place) {
		size_t length = strcspn(place, ":");

		if (strncmp(path, place, length) == 0)
			return 1;
		place += length + (place[length] == ':');
	}
	return 0;
}

/* Each call makes the shared file one byte longer: its place in it is its number. */
static int is_full(void)
{
	int counter = NEXT(open)(getenv("MODRIG_FULL_COUNT"), O_WRONLY | O_APPEND);
	long number;

	if (counter < 0)
		return 0;
	flock(counter, LOCK_EX);
	NEXT(write)(counter, "x", 1);
	number = lseek(counter, 0, SEEK_CUR);
	close(counter);
	return number >= atol(getenv("MODRIG_FULL_FROM"));
}

static int refuse(const char *path)
{
	if (!getenv("MODRIG_FULL_FROM") || !is_below(path) || !is_full())
		return 0;
	errno = ENOSPC;
	return 1;
}

static int refuse_fd(int fd)
{
	char name[64], path[4096];
	ssize_t length;

	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	length = readlink(name, path, sizeof(path) - 1);
	if (length < 0)
		return 0;
	path[length] = 0;
	return refuse(path);
}

static int opened(const char *symbol, const char *path, int flags, mode_t mode)
{
	int (*real)(const char *, int, ...) = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, symbol);
	char whole[4096];
	struct stat about;

	if ((flags & O_CREAT) && stat(path, &about) != 0) {
		if (path[0] != '/' && getcwd(whole, sizeof(whole) - strlen(path) - 2))
			strcat(strcat(whole, "/"), path);
		else
			snprintf(whole, sizeof(whole), "%s", path);
		if (refuse(whole))
			return -1;
	}
	return real(path, flags, mode);
}

#define OPEN(name)                                                  \
	int name(const char *path, int flags, ...)                  \
	{                                                           \
		va_list list;                                       \
		mode_t mode;                                        \
		va_start(list, flags);                              \
		mode = va_arg(list, mode_t);                        \
		va_end(list);                                       \
		return opened(#name, path, flags, mode);            \
	}

OPEN(open)
OPEN(open64)

int mkdir(const char *path, mode_t mode)
{
	struct stat about;

	return stat(path, &about) != 0 && refuse(path) ? -1 : NEXT(mkdir)(path, mode);
}

ssize_t write(int fd, const void *bytes, size_t count)
{
	return refuse_fd(fd) ? -1 : NEXT(write)(fd, bytes, count);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
	return refuse_fd(fd) ? -1 : NEXT(writev)(fd, parts, count);
}

ssize_t copy_file_range(int from, off64_t *at, int to, off64_t *there, size_t count, unsigned int flags)
{
	return refuse_fd(to) ? -1 : NEXT(copy_file_range)(from, at, to, there, count, flags);
}
