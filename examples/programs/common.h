/* common.h: the kit of the programs: one file a job. All of it prints, and ends the program on
 * errors. Exit status: 0; 1: failed; 2: the command line will not do; 3: a claim that the program
 * has made does not hold; 130: stopped by Ctrl-C. */
#ifndef EXAMPLES_COMMON_H
#define EXAMPLES_COMMON_H

#include "args.h"
#include "claims.h"
#include "curves.h"
#include "decimal.h"
#include "errors.h"
#include "figures.h"
#include "files.h"
#include "progress.h"
#include "rows.h"
#include "scores.h"
#include "stopping.h"
#include "training.h"

#endif
