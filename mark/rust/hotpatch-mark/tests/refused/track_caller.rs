use hotpatch_mark::hotpatch;

#[hotpatch]
#[track_caller]
unsafe fn damage(x: i32) -> i32 {
    x
}

fn main() {}
