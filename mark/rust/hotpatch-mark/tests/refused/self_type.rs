use hotpatch_mark::hotpatch;

struct Player(i32);

impl Player {
    #[hotpatch]
    unsafe fn damage(this: &Self, x: i32) -> i32 {
        this.0 - x
    }

    #[hotpatch]
    unsafe fn new(x: i32) -> Self {
        Player(x)
    }
}

fn main() {}
