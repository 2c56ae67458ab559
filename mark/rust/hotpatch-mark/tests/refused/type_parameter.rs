use hotpatch_mark::hotpatch;

#[hotpatch]
unsafe fn damage<T>(x: T) -> T {
    x
}

fn main() {}
