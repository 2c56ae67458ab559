/** docs/marks.md, "The contract, byte by byte": a library written by hand from that page alone is patched like any other. */
import test from "ava";
import { DLOPEN_HOST } from "../support/programs.js";
import { Tool } from "../support/tool.js";
import { Workshop } from "../support/workshop.js";

/** value(x) = x * factor + counter++, asks its flag; counter is state, and the hooks count calls into it. */
const library = (factor: number): string => `
        .section hotpatch,"ax",@progbits
        .balign 8
        .globl value
        .type value, @function
value:  .byte 0x0f,0x1f,0x84,0,0,0,0,0          # the entry: one 8-byte no-op
        imul $${factor}, %edi, %eax
        mov counter+32(%rip), %rdx              # the record's owner, read anew each time
        test %rdx, %rdx
        jnz 1f
        lea storage(%rip), %rdx
1:      add (%rdx), %eax
        cmpb $0, flag+15(%rip)
        je 2f
        add $1000, %eax
2:      ret
        .size value, . - value

        .section hp_flag,"a",@progbits
flag:   .ascii "HOTPATCH-FLAG1"
        .byte 0, 0

        .section hp_state,"aw",@progbits
        .balign 8
counter:
        .ascii "HPSTATE1"
        .long 64, 0
        .quad 4, 4                              # size, alignment
        .quad 0                                 # owner
        .quad storage, name, type

        .data
        .balign 4
storage: .long 0
        .section .rodata
name:   .asciz "counter"
type:   .asciz "int"

        .text
        .globl hotpatch_before_switch
        .type hotpatch_before_switch, @function
hotpatch_before_switch:                         # (from, to): counter += 10 * to
        imul $10, %esi, %eax
        mov counter+32(%rip), %rdx
        test %rdx, %rdx
        jnz 1f
        lea storage(%rip), %rdx
1:      add %eax, (%rdx)
        ret
        .size hotpatch_before_switch, . - hotpatch_before_switch
        .section .note.GNU-stack,"",@progbits
`;

test("a library in hand-written assembly is accepted: entry, flag, state and hook", async (t) => {
  const shop = new Workshop(t);
  const build = (factor: number) =>
    shop.compile("libhand.so", ["-shared", "-nostdlib", shop.write("hand.s", library(factor))]);
  const host = await shop.host("host", DLOPEN_HOST);
  const tool = Tool.spawn(shop, ["--", host, await build(1)]);
  const found = await tool.next("library:found");
  t.is(found.functions, 1);
  t.is(found.state, 1);
  await tool.prints("value 1");
  await build(2);
  await tool.switched(1);
  await tool.prints("value 1012"); // 1 * 2, the hook's 10, the flag's 1000
  await build(3);
  await tool.switched(2);
  await tool.prints("value 1033"); // the same counter: 10 + 20
  tool.send({ command: "rollback", generation: 0 });
  await tool.prints("value 31");
  t.is(await tool.end(), 0);
});
