/**
 * cli: the command line, one file for each command in `commands/`.
 * In: arguments, environment, standard input. Out: answers on stdout, everything else on stderr, an exit code.
 * Never touches: what the daemon holds open; it asks the daemon over HTTP, and itself only reads settings and keys.
 * A command's file is loaded when it is called, so that `--help` and `status` are quick.
 */
export { runCommandLine } from './program.ts'
