/* recipes.c: the runs of [M] (arXiv 2309.05858) as rows of a table; docs/science.md, section 4, has
 * the authors' numbers beside what was seen with this library. See recipes.h. */
#include "recipes.h"
#include <stdio.h>
#include <string.h>

#define LSA(heads) "linear(heads=" heads ",key=20,init_sd=2e-4,residual_clip=4)"
#define TF_BINDER "dense(outputs=$width,init_sd=0.05); softmax(heads=4,key=20,init_sd=0.05,pe=qk)"
#define TF "softmax(heads=4,key=20,init_sd=0.05)"
#define MESA "mesa(heads=4,key=20,init_sd=0.05,residual_clip=1)"
#define READ_OUT "dense(outputs=$n,init_sd=0.05)"
#define STACKED "space=slots slots=16 ridge=10"
#define FEATURES "space=features"
#define MLP "mlp(hidden=300,act=gelu_tanh,init_sd=0.05)"
#define FIXED "batch=256 lr=1e-4 weight_decay=0.1"
#define COSINE(lr) "batch=256 lr=" lr " warmup=1000 cosine_steps=30000 weight_decay=0.05"
#define CONSTRUCTED "tokens=constructed", "mask(first=$2n)"
#define DEEP "tokens=constructed", ""

const recipe recipes[] = {
    {"lsa1", "one linear layer on constructed tokens: one step of gradient descent", CONSTRUCTED,
     LSA("2"), "", 1, 0, FIXED, 5000, 3, 0, NULL, 0.888, 0.02, 1},
    {"lsa2", "two linear layers", DEEP, LSA("4"), "", 2, 0, FIXED, 5000, 3, 1, NULL, 0.4385, 0.03,
     3.3},
    {"lsa4", "four linear layers", DEEP, LSA("4"), "", 4, 0, FIXED, 10000, 3, 3, NULL, 0.242, 0.05,
     7.3},
    {"lsa6", "six linear layers", DEEP, LSA("4"), "", 6, 0, FIXED, 15000, 3, 5, NULL, 0.220, 0.05,
     11.5},
    {"lsa2_notebook", "two linear layers as in the authors' notebook", DEEP,
     "linear(heads=4,key=20,init_sd=2e-4,residual_clip=1.5)", "", 2, 0,
     "batch=256 lr=3e-4 warmup=1000 cosine_steps=20000 weight_decay=0.05", 2500, 3, 0, NULL, 0, 0,
     3.3},
    {"mesa1", "one mesa layer on constructed tokens", CONSTRUCTED,
     "mesa(heads=4,key=20,init_sd=2e-4)", "", 1, 0, "batch=256 lr=4e-4 weight_decay=0.1", 5000, 3,
     0, NULL, 0.190, 0.03, 3.1},
    {"interpolation1", "the one linear layer of the interpolation", CONSTRUCTED, LSA("2"), "", 1, 0,
     "batch=256 lr=2e-4 weight_decay=0.05", 3500, 3, 0, NULL, 0, 0, 1},
    {"interpolation6", "the six linear layers of the interpolation", DEEP,
     "linear(heads=4,key=40,init_sd=2e-4,residual_clip=4)", "", 6, 0,
     "batch=512 lr=1e-4 weight_decay=0.1", 4500, 3, 0, NULL, 0, 0, 47},
    {"tf7", "seven softmax layers on raw tokens", "tokens=raw", TF_BINDER, TF, READ_OUT, 7, 40,
     COSINE("8e-4"), 10000, 3, 6, NULL, 0.230, 0.03, 17},
    {"tf3", "three softmax layers on raw tokens", "tokens=raw", TF_BINDER, TF, READ_OUT, 3, 40,
     COSINE("8e-4"), 10000, 3, 2, NULL, 0.315, 0.03, 7},
    {"hybrid_mesa", "a softmax layer, then a mesa layer, on raw tokens", "tokens=raw", TF_BINDER,
     MESA, READ_OUT, 2, 40, COSINE("3e-4"), 20000, 3, 6, NULL, 0.198, 0.05, 5.5},
    {"full_mesa", "two mesa layers on raw tokens, the paper's text", "tokens=raw",
     "dense(outputs=$width,init_sd=0.05); "
     "mesa(heads=4,key=20,init_sd=0.05,residual_clip=1,pe=qk)",
     MESA, READ_OUT, 2, 40, COSINE("3e-4"), 3500, 3, 6, NULL, 0, 0, 6.7},
    {"linear_mesa", "a linear layer, then a mesa layer: full-mesa as the authors ran it",
     "tokens=raw", "dense(outputs=$width,init_sd=0.05); linear(heads=4,key=20,init_sd=0.05,pe=qk)",
     "mesa(heads=4,key=20,init_sd=0.05)", READ_OUT, 2, 40, COSINE("3e-4"), 3500, 3, 6, NULL, 0, 0,
     5.4},
    {"partial_tf", "tf7 with 12 heads on 5 numbers that show a linear system of 15",
     "task=partial tokens=raw dim=5",
     "dense(outputs=$width,init_sd=0.05); softmax(heads=12,key=20,init_sd=0.05,pe=qk)",
     "softmax(heads=12,key=20,init_sd=0.05)", READ_OUT, 7, 80, COSINE("4e-4"), 20000, 1, 6, STACKED,
     0.795, 0.05, 82},
    {"partial_mesa", "hybrid_mesa with 12 heads, likewise", "task=partial tokens=raw dim=5",
     "dense(outputs=$width,init_sd=0.05); softmax(heads=12,key=20,init_sd=0.05,pe=qk)",
     "mesa(heads=12,key=20,init_sd=0.05,residual_clip=1)", READ_OUT, 2, 80, COSINE("4e-4"), 12000,
     1, 6, STACKED, 0.797, 0.05, 26},
    {"nonlinear_tf", "seven softmax layers and MLPs on a nonlinear system",
     "task=nonlinear tokens=raw", TF_BINDER "; " MLP,
     "softmax(heads=4,key=20,init_sd=0.05,qk_norm=1); " MLP, READ_OUT, 7, 60,
     "batch=256 lr=1e-3 warmup=1000 cosine_steps=50000 weight_decay=0.05", 40000, 1, 6, FEATURES,
     0.0392, 0.05, 57},
    {"nonlinear_mesa", "a softmax layer, a mesa layer and MLPs, likewise",
     "task=nonlinear tokens=raw", TF_BINDER "; " MLP,
     "mesa(heads=4,key=20,init_sd=0.05,residual_clip=15,qk_norm=1); " MLP, READ_OUT, 2, 60,
     "batch=256 lr=4e-4 warmup=1000 cosine_steps=50000 weight_decay=0.05", 40000, 1, 6, FEATURES,
     0.0375, 0.05, 17},
    {"tf7_long", "tf7 on 224 tokens, for learning in context", "tokens=raw length=224", TF_BINDER,
     TF, READ_OUT, 7, 40, "batch=128 lr=8e-4 warmup=1000 cosine_steps=30000 weight_decay=0.05",
     15000, 1, 0, NULL, 0, 0, 98},
    {"hybrid_long", "hybrid_mesa on 224 tokens, likewise", "tokens=raw length=224", TF_BINDER, MESA,
     READ_OUT, 2, 40, "batch=128 lr=8e-4 warmup=1000 cosine_steps=30000 weight_decay=0.05", 15000,
     1, 0, NULL, 0, 0, 24},
    {"contracting_lsa1", "lsa1 on contracting maps", "task=contracting tokens=constructed",
     "mask(first=$2n)", LSA("2"), "", 1, 0, FIXED, 5000, 3, 0, NULL, 0.912, 0.02, 1},
    {"contracting_mesa1", "mesa1 on contracting maps", "task=contracting tokens=constructed",
     "mask(first=$2n)", "mesa(heads=4,key=20,init_sd=2e-4)", "", 1, 0,
     "batch=256 lr=4e-4 weight_decay=0.1", 5000, 3, 0, NULL, 0, 0, 3.1},
    {"fixed_teacher", "one linear layer where all sequences have one map: the control",
     "task=fixed_teacher tokens=constructed", "mask(first=$2n)", LSA("2"), "", 1, 0,
     "batch=512 lr=1e-3 weight_decay=0.1", 5000, 3, 0, NULL, 0, 0, 1.8},
    {"sensitivity_tf", "tf7 as sensitivity is measured of it", "tokens=raw", TF_BINDER, TF,
     READ_OUT, 7, 40, COSINE("7e-4"), 3000, 1, 0, NULL, 0, 0, 17},
    {"sensitivity_mesa", "full_mesa, likewise", "tokens=raw",
     "dense(outputs=$width,init_sd=0.05); "
     "mesa(heads=4,key=20,init_sd=0.05,residual_clip=1,pe=qk)",
     MESA, READ_OUT, 2, 40, COSINE("3e-4"), 3000, 1, 0, NULL, 0, 0, 6.7},
    {"linearise", "seven softmax layers with keys of 2 n, T = 4 n, data that is not clipped",
     "tokens=raw length=40 data_clip=1e30", TF_BINDER, TF, READ_OUT, 7, 40,
     "batch=64 lr=4e-3 warmup=1000 cosine_steps=30000 weight_decay=0.05", 8000, 1, 0, NULL, 0, 0,
     2.9},
    {0}};

const recipe *recipe_find(const char *name, int length)
{
    for (const recipe *r = recipes; r->name; r++)
        if ((int)strlen(r->name) == length && strncmp(r->name, name, (size_t)length) == 0) return r;
    return NULL;
}

const char *recipe_name(int i) { return recipes[i].name; }

void recipes_print(void)
{
    const double minute = 60 / 0.0125; /* in steps of lsa1 on the core named below */
    printf("%-18s %6s %6s %9s %8s  %s\n", "recipe", "loss", "+-", "steps", "minutes", "what it is");
    for (const recipe *r = recipes; r->name; r++) {
        if (r->loss > 0)
            printf("%-18s %6.4g %5.0f%%", r->name, r->loss, 100 * r->within);
        else
            printf("%-18s %6s %6s", r->name, "-", "-");
        printf(" %9lld %8.3g  %s\n", (long long)r->steps, (double)r->steps * r->cost / minute,
               r->about);
    }
    printf(
        "\nloss: what the recipe ends with, and how far the mean over seeds may be off; minutes: "
        "of one run, on one core of an AMD EPYC with AVX2\n");
}
