// SPDX-License-Identifier: GPL-2.0-only
/* Spins for ever with interrupts off: the whole machine stands still. */
#include <linux/init.h>
#include <linux/irqflags.h>
#include <linux/module.h>
#include <linux/processor.h>

static int __init hangs_init(void)
{
	local_irq_disable();
	for (;;)
		cpu_relax();
	return 0;
}

static void __exit hangs_exit(void)
{
}

module_init(hangs_init);
module_exit(hangs_exit);
MODULE_DESCRIPTION("Stops the machine");
MODULE_LICENSE("GPL");
