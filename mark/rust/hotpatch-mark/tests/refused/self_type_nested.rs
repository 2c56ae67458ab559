use hotpatch_mark::hotpatch;

trait Team {
    type Leader;
}
struct Player(i32);

impl Team for Player {
    type Leader = i32;
}

impl Player {
    #[hotpatch]
    unsafe fn best(all: Option<&[Self]>) -> i32 {
        all.map_or(0, |all| all[0].0)
    }

    #[hotpatch]
    unsafe fn leader(x: <Self as Team>::Leader) -> i32 {
        x
    }
}

fn main() {}
