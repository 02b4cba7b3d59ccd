// SPDX-License-Identifier: GPL-2.0-only
/* A file system with an empty root, loaded by the first mount of it. */
#include <linux/fs.h>
#include <linux/fs_context.h>
#include <linux/init.h>
#include <linux/module.h>

#define LAZY_FS_MAGIC 0x6d6f6472

static int lazy_fs_fill(struct super_block *super, struct fs_context *context)
{
	struct inode *root;

	super->s_magic = LAZY_FS_MAGIC;
	root = new_inode(super);
	if (!root)
		return -ENOMEM;
	root->i_ino = 1;
	root->i_mode = S_IFDIR | 0755;
	root->i_op = &simple_dir_inode_operations;
	root->i_fop = &simple_dir_operations;
	super->s_root = d_make_root(root);
	return super->s_root ? 0 : -ENOMEM;
}

static int lazy_fs_get_tree(struct fs_context *context)
{
	return get_tree_nodev(context, lazy_fs_fill);
}

static const struct fs_context_operations lazy_fs_operations = { .get_tree = lazy_fs_get_tree };

static int lazy_fs_init_context(struct fs_context *context)
{
	context->ops = &lazy_fs_operations;
	return 0;
}

static struct file_system_type lazy_fs_type = {
	.owner = THIS_MODULE,
	.name = "lazy_fs",
	.init_fs_context = lazy_fs_init_context,
	.kill_sb = kill_anon_super,
};

static int __init lazy_fs_init(void)
{
	pr_info("lazy_fs: init\n");
	return register_filesystem(&lazy_fs_type);
}

static void __exit lazy_fs_exit(void)
{
	unregister_filesystem(&lazy_fs_type);
}

module_init(lazy_fs_init);
module_exit(lazy_fs_exit);
MODULE_ALIAS_FS("lazy_fs");
MODULE_DESCRIPTION("An empty file system");
MODULE_LICENSE("GPL");
