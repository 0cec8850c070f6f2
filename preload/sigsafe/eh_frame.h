/*
 * .eh_frame of one module, as the linker left it in memory: which call-frame program covers a pc,
 * and what it says there. Any bytes are survived: nothing outside the module's segments is read,
 * and each page of them is proven readable first. Callable from the signal handler.
 */
#ifndef REQPROF_SIGSAFE_EH_FRAME_H
#define REQPROF_SIGSAFE_EH_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "preload/sigsafe/eh_cursor.h"
#include "preload/sigsafe/modules.h"

/* Registers whose place is followed from frame to frame. The others a function may destroy. */
enum eh_column { EH_RBX, EH_RBP, EH_R12, EH_R13, EH_R14, EH_R15, EH_RSP, EH_RA, EH_COLUMNS };

enum eh_cell_kind {
	EH_SAME,       /* not saved: the caller's value is still in the register. RSP: the cfa */
	EH_OFFSET,     /* saved at cfa + value */
	EH_VAL_OFFSET, /* is cfa + value */
	EH_EXPRESSION, /* saved where the expression at origin + value says */
	EH_VAL_EXPRESSION, /* is what that expression says */
	EH_REGISTER,	   /* is in DWARF register value */
	EH_UNDEFINED,	   /* cannot be had; RA: this is the outermost frame */
};

enum { EH_CFA_EXPRESSION = 0xff };

/* value << 3 | enum eh_cell_kind: a row has to be small, for the handler keeps several. */
typedef int32_t eh_cell;

struct eh_row {
	eh_cell cells[EH_COLUMNS];
	int32_t cfa_value;    /* offset, or where the expression is (from origin) */
	uint8_t cfa_register; /* DWARF number, or EH_CFA_EXPRESSION */
};

struct eh_cie {
	uint64_t code_align;
	int64_t data_align;
	uint8_t pointer_encoding;
	bool augmented; /* 'z': FDEs have a length of augmentation data */
	bool signal_frame;
	struct eh_cursor program;
};

struct eh_fde {
	struct eh_cie cie;
	uintptr_t address; /* of the FDE itself */
	uintptr_t start, end;
	uintptr_t from, to; /* the pcs between which a search for it ends here; FDEs may overlap */
	struct eh_cursor program;
};

enum { EH_REMEMBER_MAX = 3 }; /* compilers nest DW_CFA_remember_state once; more fails */

struct eh_rule {
	struct eh_row row;
	uintptr_t from, to; /* the row holds for pcs in [from, to) */
	/* Expressions are at origin + value: a ULEB length, then the bytes. They have been seen to
	 * lie in readable memory of the module. */
	uintptr_t origin;
	bool signal_frame; /* augmentation 'S': its caller was interrupted, it did not call */
	/* Work space while the rule is made: the handler's stack has no room for it. */
	struct {
		struct eh_fde fde;
		struct eh_row initial; /* after the CIE's program: for DW_CFA_restore */
		struct eh_row remembered[EH_REMEMBER_MAX];
	} work;
};

enum eh_result {
	EH_FOUND,
	EH_NONE, /* the module says nothing about this pc */
	EH_BAD,	 /* it does, but we do not understand what */
};

/* What is known at pc, inside m's code. For a return address pass the address minus 1. */
enum eh_result eh_find(const struct module *m, uintptr_t pc, struct eh_rule *rule);

/* The bytes of an expression that a cell, or the cfa, of the rule names by its value. */
struct eh_cursor eh_expression(const struct eh_rule *rule, int32_t value);

/* The parts of eh_find, apart for eh_frame.c and the tests: */

/* Parses the FDE at address and its CIE; all bytes inside [low, high). */
bool eh_parse_fde(uintptr_t address, uintptr_t low, uintptr_t high, struct eh_fde *fde);

/* Runs CIE's and FDE's programs up to pc (eh_program.c). False when they are not understood. */
bool eh_run(const struct eh_fde *fde, uintptr_t pc, struct eh_rule *rule);

#endif
