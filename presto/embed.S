/* embed.S - the bytes of presto/manifests; embed_table.c names them. Assembled in the top folder. */
.macro embed symbol, file
	.globl	presto_embed_\symbol
	.hidden	presto_embed_\symbol
	.globl	presto_embed_\symbol\()_end
	.hidden	presto_embed_\symbol\()_end
	.type	presto_embed_\symbol, @object
presto_embed_\symbol:
	.incbin	"presto/manifests/\file"
presto_embed_\symbol\()_end:
	.byte	0
	.size	presto_embed_\symbol, . - presto_embed_\symbol
.endm

	.section .rodata
	embed	crd, "crd.yaml"
	embed	service_account, "service_account.yaml"
	embed	role, "role.yaml"
	embed	role_binding, "role_binding.yaml"
	embed	operator, "operator.yaml"

	/* Without this line the linker makes the whole program's stack executable. */
	.section .note.GNU-stack, "", @progbits
