// Runs a program and stops it at a system call that touches the world: files, locks, the network.
//
//   tracer count PROGRAM ARGUMENT…        prints one line a call: its number and its name
//   tracer kill N PROGRAM ARGUMENT…       SIGKILL before the N-th of them, counted from 1; exit code 137
//   tracer hold N COMMAND PROGRAM …       runs COMMAND with sh before the N-th, then lets the program go on
//
// A program that ends before the N-th call is said to have: no two runs make exactly the same calls.
//
// Killing before call N is killing after call N-1: between two of them the program changes nothing outside itself.
// The calls of all threads are counted together. Raw system calls, which a preloaded library does not see, are
// counted like any other.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#define NEVER_CAME_THERE "tracer: the program ended before that call"

struct call {
    long number;
    const char *name;
};

static const struct call CALLS[] = {
    {SYS_write, "write"},         {SYS_pwrite64, "pwrite64"}, {SYS_writev, "writev"},
    {SYS_sendto, "sendto"},       {SYS_sendmsg, "sendmsg"},   {SYS_sendmmsg, "sendmmsg"},
    {SYS_recvfrom, "recvfrom"},   {SYS_recvmsg, "recvmsg"},   {SYS_connect, "connect"},
    {SYS_openat, "openat"},       {SYS_fsync, "fsync"},       {SYS_fdatasync, "fdatasync"},
    {SYS_ftruncate, "ftruncate"}, {SYS_fchmod, "fchmod"},     {SYS_fchmodat, "fchmodat"},
    {SYS_fchown, "fchown"},       {SYS_fchownat, "fchownat"}, {SYS_mkdirat, "mkdirat"},
    {SYS_unlinkat, "unlinkat"},   {SYS_linkat, "linkat"},     {SYS_symlinkat, "symlinkat"},
    {SYS_renameat2, "renameat2"}, {SYS_flock, "flock"},       {SYS_fallocate, "fallocate"},
    {SYS_fsetxattr, "fsetxattr"}, {SYS_setxattr, "setxattr"}, {SYS_copy_file_range, "copy_file_range"},
#ifdef SYS_open
    {SYS_open, "open"},           {SYS_creat, "creat"},       {SYS_rename, "rename"},
    {SYS_renameat, "renameat"},   {SYS_mkdir, "mkdir"},       {SYS_unlink, "unlink"},
    {SYS_rmdir, "rmdir"},         {SYS_link, "link"},         {SYS_symlink, "symlink"},
    {SYS_chmod, "chmod"},         {SYS_chown, "chown"},       {SYS_truncate, "truncate"},
#endif
};

static const char *touches_the_world(const struct __ptrace_syscall_info *info) {
    unsigned long number = info->entry.nr;
    const __typeof__(info->entry.args[0]) *arguments = info->entry.args;
    // What is printed is no part of the world that must stay whole; what is only read is not changed.
    if ((number == SYS_write || number == SYS_writev) && arguments[0] <= 2)
        return NULL;
    if (number == SYS_openat && !(arguments[2] & (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC)))
        return NULL;
#ifdef SYS_open
    if (number == SYS_open && !(arguments[1] & (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC)))
        return NULL;
#endif
    for (size_t i = 0; i < sizeof CALLS / sizeof CALLS[0]; i++)
        if ((unsigned long)CALLS[i].number == number)
            return CALLS[i].name;
    return NULL;
}

static void fail(const char *what) {
    fprintf(stderr, "tracer: %s: %s\n", what, strerror(errno));
    exit(99);
}

int main(int argc, char **argv) {
    if (argc < 3)
        return 99;
    const char *mode = argv[1];
    int is_kill = !strcmp(mode, "kill"), is_hold = !strcmp(mode, "hold");
    long wanted = is_kill || is_hold ? atol(argv[2]) : 0;
    const char *command = is_hold ? argv[3] : NULL;
    char **program = argv + (is_hold ? 4 : is_kill ? 3 : 2);

    pid_t child = fork();
    if (child < 0)
        fail("fork");
    if (child == 0) {
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        raise(SIGSTOP);
        execv(program[0], program);
        _exit(98);
    }
    int status;
    if (waitpid(child, &status, 0) < 0)
        fail("waitpid");
    long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
                   PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;
    if (ptrace(PTRACE_SETOPTIONS, child, 0, options) < 0)
        fail("PTRACE_SETOPTIONS");
    ptrace(PTRACE_SYSCALL, child, 0, 0);

    long count = 0;
    for (;;) {
        pid_t thread = waitpid(-1, &status, __WALL);
        if (thread < 0)
            fail("waitpid");
        if (WIFEXITED(status) || WIFSIGNALED(status)) {
            if (thread == child && wanted > count)
                fprintf(stderr, "%s\n", NEVER_CAME_THERE);
            if (thread == child)
                return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
            continue;
        }
        int signal = WSTOPSIG(status);
        if (signal != (SIGTRAP | 0x80)) {
            // A thread that begins, a program that is started, or a signal for it.
            int passed = signal == SIGTRAP || signal == SIGSTOP ? 0 : signal;
            ptrace(PTRACE_SYSCALL, thread, 0, passed);
            continue;
        }
        struct __ptrace_syscall_info info;
        if (ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof info, &info) < 0) {
            // The first thread has ended them all meanwhile.
            if (errno == ESRCH)
                continue;
            fail("PTRACE_GET_SYSCALL_INFO");
        }
        const char *name = info.op == PTRACE_SYSCALL_INFO_ENTRY ? touches_the_world(&info) : NULL;
        if (name) {
            count++;
            if (!is_kill && !is_hold)
                fprintf(stderr, "point %ld %s\n", count, name);
            if (is_kill && count == wanted) {
                kill(child, SIGKILL);
                // The first thread is reported after all others have been.
                pid_t ended;
                do {
                    ended = waitpid(-1, &status, __WALL);
                } while (ended >= 0 && (ended != child || !(WIFSIGNALED(status) || WIFEXITED(status))));
                return 137;
            }
            if (is_hold && count == wanted && system(command) != 0)
                return 97;
        }
        ptrace(PTRACE_SYSCALL, thread, 0, 0);
    }
}
