# A library with USDT probes, as <sys/sdt.h> makes them; for test_usdt.py.

    .macro note place, counter, name, arguments
    .pushsection .note.stapsdt, "", "note"
    .balign 4
    .4byte 8, 8882f - 8881f, 3
    .asciz "stapsdt"
8881: .8byte \place, _.stapsdt.base, \counter
    .asciz "pybpf"
    .asciz "\name"
    .asciz "\arguments"
8882: .balign 4
    .popsection
    .endm

    .section .stapsdt.base, "a"
_.stapsdt.base:
    .space 1

    .section .probes, "aw"
counter:
    .2byte 0

    .text
# void fire(long a, int b, long *array, long index): its arguments in all the places that a compiler has for them
    .globl fire
    .type fire, @function
fire:
    push %rbp
    mov %rsp, %rbp
    sub $32, %rsp
    movl %esi, -4(%rbp)
    movq %rdi, -16(%rbp)
    movb %sil, -17(%rbp)
first:
    nop
    note first, 0, fire, "8@%rdi -4@%esi 4@-4(%rbp) -1@-17(%rbp) 8@$-7 -8@-16(%rbp) 8@8(%rdx,%rcx,8) 2@(%rdx)"
    leave
    ret
    .size fire, . - fire

# void twice(long a): one probe at two places, which keep their argument differently
    .globl twice
    .type twice, @function
twice:
    mov %rdi, %r10
second:
    nop
    note second, counter, twice, "8@%rdi"
    xor %rdi, %rdi
third:
    nop
    note third, counter, twice, "8@%r10"
    ret
    .size twice, . - twice

# int enabled(void): how many probe `twice`
    .globl enabled
    .type enabled, @function
enabled:
    movzwl counter(%rip), %eax
    ret
    .size enabled, . - enabled

    .globl empty
    .type empty, @function
empty:
    nop
    note empty, 0, empty, ""
    ret
    .size empty, . - empty

    .globl odd
    .type odd, @function
odd:
    nop
    note odd, 0, odd, "8f@%xmm0"
    ret
    .size odd, . - odd

    .section .note.GNU-stack, "", @progbits
