/*
 * hotpatch.h: what a library's author writes so that hotpatch can edit the library inside a running process.
 *
 *     #include "hotpatch.h"
 *     HOTPATCH int damage(struct player *p, int amount) { ... }
 *
 * Nothing to link; the only run-time cost is that calls are never inlined. docs/marks.md says what each attribute is
 * for, and what hotpatch reads from the compiled file.
 *
 *     HOTPATCH              before a function's definition; in C++ also members, virtual ones, operators. Constructors
 *                           and destructors are marked inside their class too: gcc aligns them only then
 *     HOTPATCH_INLINE       before what a header defines: an inline function, one inside its class, a template
 *     HOTPATCH_STATIC       before a static function (gcc only: clang cannot keep callers from relying on its body)
 *     HOTPATCH_STATE(type, name, initialiser)   in one source file, at file scope: a variable that survives edits
 *     HOTPATCH_STATE_DECLARE(type, name)        elsewhere in the same library
 *     HOTPATCH_GET(name)                        the variable itself: an lvalue of that type
 *     HOTPATCH_BEFORE_SWITCH(from, to) { ... }  called on a separate thread before a switch to this generation
 *     HOTPATCH_AFTER_SWITCH(from, to) { ... }   the same, once it runs
 *     hotpatch_is_patched() 1 in a copy that hotpatch loaded, 0 in the file the host loaded; valid in constructors too
 *     HOTPATCH_DISABLE      defined before the #include, or with -D: every macro is empty, for release builds
 *
 * C89 to C23, C++11 and later; gcc 8 or later, clang 10 or later; x86_64.
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef HOTPATCH_H
#define HOTPATCH_H

#if defined(__GNUC__) || defined(__clang__)
#pragma GCC system_header
#endif

#if defined(HOTPATCH_DISABLE)

#define HOTPATCH
#define HOTPATCH_INLINE
#define HOTPATCH_STATIC
#define HOTPATCH_STATE(type, name, ...) HOTPATCH_STATE_DECLARE(type, name); __typeof__(type) hotpatch_state_##name = __VA_ARGS__
#define HOTPATCH_STATE_DECLARE(type, name) extern __typeof__(type) hotpatch_state_##name
#define HOTPATCH_GET(name) hotpatch_state_##name
#define hotpatch_is_patched() 0
#define HOTPATCH_BEFORE_SWITCH(from, to) static __inline__ __attribute__((unused)) void hotpatch_before_switch(int from, int to)
#define HOTPATCH_AFTER_SWITCH(from, to) static __inline__ __attribute__((unused)) void hotpatch_after_switch(int from, int to)

#elif !defined(__x86_64__) && !defined(_M_X64)
#error "hotpatch.h: only x86_64 can be patched so far; define HOTPATCH_DISABLE to build without marks"

#else

/* What hotpatch finds by name keeps its name when the library is stripped; what only the library uses stays hidden. */
#if defined(_WIN32)
#define HOTPATCH_EXPORT_ dllexport
#define HOTPATCH_HIDDEN_
#else
#define HOTPATCH_EXPORT_ visibility("default")
#define HOTPATCH_HIDDEN_ __attribute__((visibility("hidden")))
#endif

#if defined(__clang__)

/*
 * weak keeps callers from relying on the body, including constant results; noinline alone does not.
 * nocf_check, where it exists, keeps endbr64 from preceding the entry.
 */
#if defined(__CET__) && (__CET__ & 1)
#define HOTPATCH_NO_ENDBR_ , nocf_check
#else
#define HOTPATCH_NO_ENDBR_
#endif
#define HOTPATCH_IN_(section_name)                                                                                     \
  __attribute__((section(section_name), noinline, weak, used, HOTPATCH_EXPORT_, patchable_function_entry(8, 0),   \
                 aligned(16) HOTPATCH_NO_ENDBR_))
#define HOTPATCH HOTPATCH_IN_("hotpatch")
#define HOTPATCH_INLINE HOTPATCH_IN_("hotpatci")
/* Together with `static` this is an error: "weak declaration cannot have internal linkage". It is intended. */
#define HOTPATCH_STATIC HOTPATCH_IN_("hotpatch")

#elif defined(__GNUC__)

/* noipa keeps callers and clones from relying on the body; noinline alone does not. */
#define HOTPATCH_ENTRY_ noipa, used, ms_hook_prologue, aligned(16)
#define HOTPATCH __attribute__((section("hotpatch"), HOTPATCH_EXPORT_, HOTPATCH_ENTRY_))
#define HOTPATCH_INLINE __attribute__((section("hotpatci"), HOTPATCH_EXPORT_, HOTPATCH_ENTRY_))
#define HOTPATCH_STATIC __attribute__((section("hotpatch"), HOTPATCH_ENTRY_))

#else
#error "hotpatch.h: gcc or clang is needed; define HOTPATCH_DISABLE to build without marks"
#endif

/*
 * 15 bytes, including the NUL, by which hotpatch finds the flag in the file, then the flag: hotpatch writes 1 into each
 * copy before it is loaded, so that it is valid from the first instruction on. One per library; several are harmless.
 */
#if defined(__cplusplus)
extern "C" {
#endif
extern const volatile char hotpatch_flag_[16];
HOTPATCH_HIDDEN_ __attribute__((weak, used, section("hp_flag"))) const volatile char hotpatch_flag_[16] = {
    'H', 'O', 'T', 'P', 'A', 'T', 'C', 'H', '-', 'F', 'L', 'A', 'G', '1', 0, 0};
#if defined(__cplusplus)
}
#endif

/*
 * A persistent variable: its storage, and a record in section hp_state (docs/marks.md). hotpatch writes the address of
 * the first owner's storage into the record of each copy, in the file, so that constructors of the copy see the live
 * value. volatile: the pointer is 0 in the source, but must be read nevertheless.
 */
struct hotpatch_record_ {
  char magic[8];
  unsigned int bytes, reserved;
  __SIZE_TYPE__ size, align;
  void *volatile owner;
  void *own;
  const char *name, *type;
};
#define HOTPATCH_STATE_DECLARE(type, name)                                                                             \
  extern HOTPATCH_HIDDEN_ struct hotpatch_record_ hotpatch_state_##name;                          \
  extern __typeof__(type) hotpatch_type_of_##name /* never defined: GET only uses its type */
#define HOTPATCH_STATE(type, name, ...)                                                                                \
  HOTPATCH_STATE_DECLARE(type, name);                                                                                  \
  static __typeof__(type) hotpatch_storage_##name = __VA_ARGS__;                                                       \
  __attribute__((section("hp_state"), used, aligned(8))) struct hotpatch_record_ hotpatch_state_##name = {             \
      {'H', 'P', 'S', 'T', 'A', 'T', 'E', '1'},                                                                        \
      sizeof(struct hotpatch_record_),                                                                                 \
      0,                                                                                                               \
      sizeof(__typeof__(type)),                                                                                        \
      __alignof__(__typeof__(type)),                                                                                   \
      0,                                                                                                               \
      (void *)&hotpatch_storage_##name,                                                                                \
      #name,                                                                                                           \
      #type}
#define HOTPATCH_GET(name)                                                                                             \
  (*(__typeof__(hotpatch_type_of_##name) *)(hotpatch_state_##name.owner != 0 ? hotpatch_state_##name.owner             \
                                                                             : hotpatch_state_##name.own))

/* Generation numbers; 0 is the host's own. Exported by these names, whatever the language and the visibility are. */
#ifdef __cplusplus
#define HOTPATCH_HOOK_ extern "C" __attribute__((used, HOTPATCH_EXPORT_))
#else
#define HOTPATCH_HOOK_ __attribute__((used, HOTPATCH_EXPORT_))
#endif
#define HOTPATCH_BEFORE_SWITCH(from, to)                                                                               \
  HOTPATCH_HOOK_ void hotpatch_before_switch(int from, int to);                                                        \
  HOTPATCH_HOOK_ void hotpatch_before_switch(int from, int to)
#define HOTPATCH_AFTER_SWITCH(from, to)                                                                                \
  HOTPATCH_HOOK_ void hotpatch_after_switch(int from, int to);                                                         \
  HOTPATCH_HOOK_ void hotpatch_after_switch(int from, int to)

static __inline__ __attribute__((unused)) int hotpatch_is_patched(void) { return hotpatch_flag_[15] != 0; }

#endif
#endif
