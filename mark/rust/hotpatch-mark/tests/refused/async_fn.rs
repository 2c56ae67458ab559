use hotpatch_mark::hotpatch;

#[hotpatch]
async unsafe fn damage(x: i32) -> i32 {
    x
}

fn main() {}
