/*
 * The C side of modules.ts: the dl_iterate_phdr callback. Compiled inside the target; the script #defines NAME_SIZE and
 * PAGE_SIZE.
 */
#include <stdint.h>
enum { PT_LOAD = 1 };
struct header { uint32_t type, flags; uint64_t offset, address, physical, file_size, size, align; };
struct info { uint64_t bias; const char *name; const struct header *headers; uint16_t count; };
struct record { uint64_t base, end; char name[NAME_SIZE]; };
struct list { uint64_t room, found; struct record records[]; };

/* Called under the loader's lock: the module cannot be unloaded meanwhile. */
int note(const struct info *info, uint64_t size, struct list *list) {
  uint64_t low = ~0ull, high = 0;
  struct record *r;
  int i;
  for (i = 0; i < info->count; i++) {
    const struct header *h = &info->headers[i];
    if (h->type != PT_LOAD) continue;
    if (h->address - h->offset < low && h->offset <= h->address) low = h->address - h->offset;
    if (h->address + h->size > high) high = h->address + h->size;
  }
  if (low == ~0ull) return 0;
  if (list->found < list->room) {
    r = &list->records[list->found];
    r->base = info->bias + (low & ~(PAGE_SIZE - 1ull));
    r->end = (info->bias + high + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1ull);
    for (i = 0; i < (int)sizeof r->name - 1 && info->name[i]; i++) r->name[i] = info->name[i];
    r->name[i] = 0;
  }
  list->found++;
  return 0;
}
