use hotpatch_mark::hotpatch;

#[hotpatch]
async fn damage<T>(x: T, y: impl Copy) -> T {
    let _ = y;
    x
}

fn main() {}
