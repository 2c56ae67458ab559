use hotpatch_mark::hotpatch;

#[hotpatch(fast)]
unsafe fn damage(x: i32) -> i32 {
    x
}

#[hotpatch(name = "a", name = "b")]
unsafe fn twice(x: i32) -> i32 {
    x
}

#[hotpatch("damage")]
unsafe fn literal(x: i32) -> i32 {
    x
}

fn main() {}
