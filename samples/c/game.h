/* The library's interface, which host.c uses. */
#ifndef GAME_H
#define GAME_H

struct player {
  const char *name;
  int health;
};

/* How much one hit takes. */
int damage(const struct player *victim, int tick);

/* What the player says. */
const char *greeting(const struct player *player);

#endif
