// SPDX-License-Identifier: GPL-2.0-only
/* Parameters of every common type: parsing, range checks, permissions in sysfs. Init prints what it was given. */
#include <linux/init.h>
#include <linux/module.h>

static int an_int = 1;
static unsigned int a_uint = 2;
static unsigned char a_byte = 3;
static short a_short = 4;
static unsigned long a_ulong = 5;
static unsigned int a_hexint = 6;
static bool a_bool;
/* Holds the opposite of what the user says; sysfs shows what the user says. */
static bool an_invbool = true;
static char *a_charp = "default";
static int an_array[4] = { 7, 8, 9, 10 };
static int an_array_count;
static char a_string[8] = "default";
static int read_only = 11;
static int hidden = 12;

module_param(an_int, int, 0644);
MODULE_PARM_DESC(an_int, "an int");
module_param(a_uint, uint, 0644);
MODULE_PARM_DESC(a_uint, "an unsigned int");
module_param(a_byte, byte, 0644);
MODULE_PARM_DESC(a_byte, "an unsigned char");
module_param(a_short, short, 0644);
MODULE_PARM_DESC(a_short, "a short");
module_param(a_ulong, ulong, 0644);
MODULE_PARM_DESC(a_ulong, "an unsigned long");
module_param(a_hexint, hexint, 0644);
MODULE_PARM_DESC(a_hexint, "an unsigned int that needs 0x");
module_param(a_bool, bool, 0644);
MODULE_PARM_DESC(a_bool, "a bool");
module_param(an_invbool, invbool, 0644);
MODULE_PARM_DESC(an_invbool, "a bool whose variable holds the opposite");
module_param(a_charp, charp, 0644);
MODULE_PARM_DESC(a_charp, "a string of up to 1024 bytes");
module_param_array(an_array, int, &an_array_count, 0644);
MODULE_PARM_DESC(an_array, "up to four int");
module_param(an_array_count, int, 0444);
MODULE_PARM_DESC(an_array_count, "how many of an_array were given");
module_param_string(a_string, a_string, sizeof(a_string), 0644);
MODULE_PARM_DESC(a_string, "a string of up to 7 bytes");
module_param(read_only, int, 0444);
MODULE_PARM_DESC(read_only, "an int that sysfs shows and does not let anyone write");
module_param(hidden, int, 0);
MODULE_PARM_DESC(hidden, "an int without a file in sysfs");

static int __init params_init(void)
{
	pr_info("params: an_int=%d a_uint=%u a_byte=%u a_short=%d a_ulong=%lu a_hexint=0x%x\n",
		an_int, a_uint, a_byte, a_short, a_ulong, a_hexint);
	pr_info("params: a_bool=%d an_invbool=%d\n", a_bool, an_invbool);
	pr_info("params: a_charp=%s a_string=%s\n", a_charp, a_string);
	pr_info("params: an_array=%d,%d,%d,%d an_array_count=%d\n",
		an_array[0], an_array[1], an_array[2], an_array[3], an_array_count);
	pr_info("params: read_only=%d hidden=%d\n", read_only, hidden);
	return 0;
}

static void __exit params_exit(void)
{
}

module_init(params_init);
module_exit(params_exit);
MODULE_DESCRIPTION("Has a parameter of every common type");
MODULE_LICENSE("GPL");
