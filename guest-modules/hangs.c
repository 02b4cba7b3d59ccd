// SPDX-License-Identifier: GPL-2.0-only
/* Init spins for ever with interrupts off: that CPU is gone and nothing in the guest notices, only the harness can. */
#include <linux/init.h>
#include <linux/irqflags.h>
#include <linux/module.h>
#include <linux/processor.h>

static int __init hangs_init(void)
{
	pr_info("hangs: init\n");
	local_irq_disable();
	for (;;)
		cpu_relax();
	return 0;
}

module_init(hangs_init);
MODULE_DESCRIPTION("Hangs a CPU");
MODULE_LICENSE("GPL");
