# Rego v0, with `in` as the AAF pages write it: a person looks at every tool that is not on the list. Beside shell.rego
# it would contradict it: two rules would give `decision` different values for run_command, which denies the call.
package aaf.policy

decision = "require_approval" {
	not input.action.tool in ["read_file", "list_directory", "write_file"]
}
