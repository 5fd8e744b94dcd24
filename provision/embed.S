/* embed.S - the bytes of provision/schema. Assembled in the top folder. */
	.section .rodata
	.globl	environment_schema
	.hidden	environment_schema
	.type	environment_schema, @object
environment_schema:
	.incbin	"provision/schema/environment.yaml"
	.globl	environment_schema_end
	.hidden	environment_schema_end
environment_schema_end:
	.byte	0
	.size	environment_schema, . - environment_schema

	/* Without this line the linker makes the whole program's stack executable. */
	.section .note.GNU-stack, "", @progbits
