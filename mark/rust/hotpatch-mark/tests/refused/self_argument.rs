use hotpatch_mark::hotpatch;

struct Player(i32);

impl Player {
    #[hotpatch]
    unsafe fn damage(&mut self, x: i32) -> i32 {
        self.0 - x
    }

    #[hotpatch]
    unsafe fn consume(self: Box<Player>) {}
}

fn main() {}
