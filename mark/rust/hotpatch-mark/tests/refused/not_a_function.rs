use hotpatch_mark::hotpatch;

#[hotpatch]
struct Player;

#[hotpatch]
mod game {}

fn main() {}
