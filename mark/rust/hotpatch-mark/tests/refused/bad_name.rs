use hotpatch_mark::hotpatch;

#[hotpatch(name = "")]
unsafe fn empty(x: i32) -> i32 {
    x
}

#[hotpatch(name = "two words")]
unsafe fn blank(x: i32) -> i32 {
    x
}

#[hotpatch(name = 7)]
unsafe fn number(x: i32) -> i32 {
    x
}

fn main() {}
