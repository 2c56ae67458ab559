use hotpatch_mark::hotpatch;

#[hotpatch]
unsafe extern "Rust" fn damage(x: i32) -> i32 {
    x
}

fn main() {}
