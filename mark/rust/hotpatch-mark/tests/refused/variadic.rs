use hotpatch_mark::hotpatch;

#[hotpatch]
unsafe extern "C" fn sum(count: i32, _values: ...) -> i32 {
    count
}

fn main() {}
