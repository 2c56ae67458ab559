use hotpatch_mark::hotpatch;

#[hotpatch]
unsafe fn numbers() -> impl Iterator<Item = i32> {
    0..3
}

fn main() {}
