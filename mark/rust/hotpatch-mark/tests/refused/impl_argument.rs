use hotpatch_mark::hotpatch;

#[hotpatch]
unsafe fn sum(x: impl Iterator<Item = i32>) -> i32 {
    x.sum()
}

#[hotpatch]
unsafe fn nested(x: Option<Vec<impl Copy>>) -> bool {
    x.is_some()
}

fn main() {}
