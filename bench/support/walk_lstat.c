// The floor of finding out that nothing changed: one walk over a tree with lstat, nothing else.
//   walk_lstat DIRECTORY
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static unsigned long entries;

static void walk(int fd) {
    DIR *directory = fdopendir(fd);
    if (!directory) {
        perror("fdopendir");
        exit(1);
    }
    for (struct dirent *entry; (entry = readdir(directory));) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
        struct stat status;
        if (fstatat(fd, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
        ++entries;
        if (!S_ISDIR(status.st_mode)) continue;
        int below = openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (below >= 0) walk(below);
    }
    closedir(directory);
}

int main(int argc, char **argv) {
    int fd = argc == 2 ? open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd < 0) {
        fprintf(stderr, "usage: walk_lstat DIRECTORY\n");
        return 2;
    }
    walk(fd);
    printf("%lu\n", entries);
    return 0;
}
