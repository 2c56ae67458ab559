use hotpatch_mark::hotpatch;

trait Team {
    #[hotpatch]
    unsafe fn damage(x: i32) -> i32;
}

fn main() {}
