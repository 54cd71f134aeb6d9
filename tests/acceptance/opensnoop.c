/* Loads the object of examples/opensnoop.py through its skeleton, and prints the opens of its own process. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
#include <bpf/libbpf.h>
#include "opensnoop.types.h"
#include "opensnoop.skel.h"

static int show(void *unused, void *data, size_t size)
{
	const struct Open *e = data;

	(void)unused;
	printf("%zu %d %d %s %s\n", size, e->pid == (unsigned)getpid(), e->ret, e->comm, e->path);
	return 0;
}

int main(int count, char **paths)
{
	struct opensnoop *skel = opensnoop__open();

	if (!skel)
		return 1;
	skel->rodata->only_pid = getpid();
	if (opensnoop__load(skel))
		return 2;
	struct ring_buffer *ring = ring_buffer__new(bpf_map__fd(skel->maps.opens), show, NULL, NULL);
	if (!ring || opensnoop__attach(skel))
		return 3;
	for (int i = 1; i < count; i++)
		close(open(paths[i], O_RDONLY));
	opensnoop__detach(skel);
	ring_buffer__consume(ring);
	ring_buffer__free(ring);
	opensnoop__destroy(skel);
	return 0;
}
