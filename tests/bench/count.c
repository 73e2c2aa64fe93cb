// A plugin for qemu's user mode that counts the instructions a program executes, JIT-compiled ones too.
// Each virtual CPU (a thread) has a slot of its own, so that no count is lost; a reader of the file adds them up.
//
//   cc -O2 -shared -fPIC -o count.so count.c
//   qemu-x86_64 -plugin ./count.so,out=FILE PROGRAM
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

// As much of qemu's plugin interface (version 1, of qemu 4.2 to 8) as this needs; distributions ship no header of it.
typedef uint64_t qemu_plugin_id;
struct qemu_plugin_tb;
extern void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id, void (*)(qemu_plugin_id, struct qemu_plugin_tb *));
extern void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *, void (*)(unsigned, void *), int, void *);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);

#define EXPORT __attribute__((visibility("default")))
EXPORT int qemu_plugin_version = 1;

enum { SLOTS = 1024 };
// A cache line each: threads do not slow each other down.
static struct { uint64_t count; uint64_t padding[7]; } *slots;

static void executed(unsigned cpu, void *instructions) {
  slots[cpu % SLOTS].count += (uintptr_t)instructions;
}

static void translated(qemu_plugin_id id, struct qemu_plugin_tb *block) {
  (void)id;
  qemu_plugin_register_vcpu_tb_exec_cb(block, executed, 0, (void *)(uintptr_t)qemu_plugin_tb_n_insns(block));
}

EXPORT int qemu_plugin_install(qemu_plugin_id id, const void *info, int argc, char **argv) {
  (void)info;
  for (int i = 0; i < argc; i++) {
    if (strncmp(argv[i], "out=", 4) != 0) continue;
    int file = open(argv[i] + 4, O_RDWR | O_CREAT | O_TRUNC, 0644);
    if (file < 0 || ftruncate(file, SLOTS * sizeof *slots) != 0) return 1;
    slots = mmap(0, SLOTS * sizeof *slots, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (slots == MAP_FAILED) return 1;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    return 0;
  }
  return 1;
}
