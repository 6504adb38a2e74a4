"""
Models that learn in context, trained and taken apart: libmesaopt.

`MESAOPT_LIBRARY` names the shared library where the loader does not find it. Arrays are Julia's, of any strides, and
never copied: axes are in the order of the C library's documentation, `tokens[b, t, j]`. Functions with a `!` fill their
last array. Failures are thrown as `MesaError` with the library's text.
"""
module MesaOpt

export Context, Settings, Task, Model, Trainer, RevAlg, Solver, Regression, MesaError,
    draw!, tokens!, add!, forward!, run!, evaluate, parameter, closed_form, update!, predict!, save, steps

const libmesaopt = get(ENV, "MESAOPT_LIBRARY", "libmesaopt.so.0")

include("api.jl")

struct MesaError <: Exception
    status::Int32
    text::String
end
Base.showerror(io::IO, e::MesaError) = print(io, unsafe_string(mesaopt_status_name(e.status)), ": ", e.text)

"The text that `f(buf, cap)` writes."
function read_text(f)
    need = f(Ptr{UInt8}(C_NULL), 0)
    need <= 0 && return ""
    buf = Vector{UInt8}(undef, need)
    GC.@preserve buf f(pointer(buf), need)
    return String(buf[1:end-1])
end

# ---- handles: freed by finalizers, which may run on any thread and in any order ----

abstract type Handle end
Base.unsafe_convert(::Type{Ptr{Cvoid}}, h::Handle) = h.ptr
Base.cconvert(::Type{Ptr{Cvoid}}, h::Handle) = h

function own(h::Handle, free)
    finalizer(x -> (free(x.ptr); x.ptr = C_NULL), h)
    return h
end

"Options of a scope: `Settings(MesaOpt.MESAOPT_SCOPE_TRAINER; lr = 3e-4)`."
mutable struct Settings <: Handle
    ptr::Ptr{Cvoid}
    function Settings(scope::Integer; values...)
        out = Ref{Ptr{Cvoid}}(C_NULL)
        status = mesaopt_settings_create(scope, C_NULL, C_NULL, out)
        status < 0 && throw(MesaError(status, "settings of scope $scope"))
        s = own(new(out[]), mesaopt_settings_free)
        for (name, value) in values
            check(s, mesaopt_settings_set_text(s, String(name), value isa Bool ? string(Int(value)) : string(value)))
        end
        return s
    end
end
check(s::Settings, status) = status < 0 ? throw(MesaError(status, read_text((b, n) -> mesaopt_settings_error(s, b, n)))) : status

"Memory, threads and ISA level: `Context(threads = 2)`. It serves one call at a time."
mutable struct Context <: Handle
    ptr::Ptr{Cvoid}
    function Context(; values...)
        s = Settings(MESAOPT_SCOPE_CTX; values...)
        out = Ref{Ptr{Cvoid}}(C_NULL)
        check(s, mesaopt_ctx_create(s, out))
        return own(new(out[]), mesaopt_ctx_free)
    end
end

const thrown = Ref{Any}(nothing)        # what a callback threw, until the call that made it has returned

function check(c::Context, status)
    if thrown[] !== nothing
        e, thrown[] = thrown[], nothing
        throw(e)
    end
    status < 0 && throw(MesaError(status, read_text((b, n) -> mesaopt_ctx_error(c, b, n))))
    return status
end
check(h::Handle, status) = check(h.ctx, status)

"Calls create(out), whose failure has its text in the context."
function made(ctx::Context, create)
    out = Ref{Ptr{Cvoid}}(C_NULL)
    check(ctx, create(out))
    return out[]
end

# ---- views: alive and in their place during `f` ----

dtype(::Type{Float32}) = MESAOPT_F32
dtype(::Type{Float64}) = MESAOPT_F64
dtype(::Type{Float16}) = MESAOPT_F16
dtype(::Type{Int32}) = MESAOPT_I32
dtype(::Type{Int64}) = MESAOPT_I64

pad(t) = ntuple(i -> i <= length(t) ? Int64(t[i]) : Int64(0), 6)

function view_of(a::AbstractArray{T,N}, flags) where {T,N}       # of what has pointer and strides
    N <= 6 || throw(ArgumentError("$N axes, expected at most 6"))
    return CView(pointer(a), pad(size(a)), pad(strides(a)), N, dtype(T), flags, 0)
end

"f(pointers to the views of arrays that are read, and of arrays that are written); `nothing` goes as NULL."
function with_views(f, inputs::Tuple, outputs::Tuple)
    GC.@preserve inputs outputs begin
        refs = (map(a -> a === nothing ? nothing : Ref(view_of(a, MESAOPT_VIEW_READONLY)), inputs)...,
                map(a -> a === nothing ? nothing : Ref(view_of(a, UInt32(0))), outputs)...)
        GC.@preserve refs begin
            return f(map(r -> r === nothing ? Ptr{CView}(C_NULL) : Base.unsafe_convert(Ptr{CView}, r), refs)...)
        end
    end
end

# ---- tasks, models, training ----

"Where sequences come from: `Task(ctx; dim = 10, length = 50)`."
mutable struct Task <: Handle
    ptr::Ptr{Cvoid}
    ctx::Context
    function Task(ctx::Context; settings...)
        s = Settings(MESAOPT_SCOPE_TASK; settings...)
        return own(new(made(ctx, out -> mesaopt_task_create(ctx, s, out)), ctx), mesaopt_task_free)
    end
end

const streams = Dict(:train => MESAOPT_STREAM_TRAIN, :test => MESAOPT_STREAM_TEST, :search => MESAOPT_STREAM_SEARCH)

"Sequences from `first` on into out[b, t, j]."
function draw!(task::Task, out; stream = :test, first = 0)
    with_views((), (out,)) do o
        check(task, mesaopt_task_draw(task, streams[stream], first, o))
    end
    return out
end

"Tokens of sequences into out[b, t, j]."
function tokens!(task::Task, sequences, out)
    with_views((sequences,), (out,)) do s, o
        check(task, mesaopt_task_tokens(task, s, o))
    end
    return out
end

"A list of blocks: `Model(ctx, \"linear(heads=2,key=20)\"; inputs = 40, outputs = 10)`."
mutable struct Model <: Handle
    ptr::Ptr{Cvoid}
    ctx::Context
    function Model(ctx::Context, blocks::AbstractString = ""; settings...)
        s = Settings(MESAOPT_SCOPE_MODEL; settings...)
        m = own(new(made(ctx, out -> mesaopt_model_create(ctx, s, out)), ctx), mesaopt_model_free)
        isempty(blocks) || add!(m, blocks)
        return m
    end
end

add!(m::Model, blocks::AbstractString) = (check(m, mesaopt_model_add_text(m, blocks)); m)
Base.string(m::Model) = read_text((b, n) -> mesaopt_model_text(m, b, n))
save(m::Model, path::AbstractString) = check(m, mesaopt_model_save(m, path))

"Predictions into out[b, t, j]."
function forward!(m::Model, tokens, out)
    with_views((tokens,), (out,)) do x, o
        check(m, mesaopt_model_forward(m, x, o))
    end
    return out
end

"A copy of a parameter [rows, columns]."
function parameter(m::Model, name::AbstractString)
    v = Ref{CView}()
    check(m, mesaopt_model_parameter(m, name, v))
    T = v[].dtype == MESAOPT_F32 ? Float32 : Float64
    GC.@preserve m begin
        a = unsafe_wrap(Array, Ptr{T}(v[].data), (v[].shape[2], v[].shape[1]))
        return permutedims(a)
    end
end

"(mean loss, error by t) on sequences from `first` on."
function evaluate(m::Model, task::Task; stream = :test, first = 0, count = 2560)
    T = Ref{Int64}()
    check(task, mesaopt_task_shape(task, C_NULL, T, C_NULL, C_NULL))
    by_t, loss = Vector{Float64}(undef, T[]), Ref{Cdouble}()
    with_views((), (by_t,)) do b
        check(m, mesaopt_model_evaluate(m, task, streams[stream], first, count, b, loss))
    end
    return loss[], by_t
end

"AdamW: `Trainer(model, task; lr = 3e-4, batch = 128)`."
mutable struct Trainer <: Handle
    ptr::Ptr{Cvoid}
    ctx::Context
    model::Model
    task::Task
    function Trainer(model::Model, task::Task; settings...)
        s = Settings(MESAOPT_SCOPE_TRAINER; settings...)
        ptr = made(model.ctx, out -> mesaopt_trainer_create(model.ctx, s, model, task, out))
        return own(new(ptr, model.ctx, model, task), mesaopt_trainer_free)
    end
end

function after_step(step::Ptr{CStep}, user::Ptr{Cvoid})::Int32
    try
        f = unsafe_pointer_to_objref(user)[]
        return Int32(f(unsafe_load(step)) === true)
    catch e                             # nothing may unwind through C
        thrown[] = e
        return Int32(1)
    end
end

"Until `steps` steps in all are taken; f(step) after each, which stops the run when it returns true. True: all were taken."
function run!(t::Trainer, steps::Integer, f = step -> false)
    callback = @cfunction(after_step, Int32, (Ptr{CStep}, Ptr{Cvoid}))
    user = Ref{Any}(f)
    GC.@preserve user begin
        return check(t, mesaopt_trainer_run(t, steps, callback, pointer_from_objref(user))) != MESAOPT_STOPPED
    end
end

steps(t::Trainer) = mesaopt_trainer_steps(t)
save(t::Trainer, path::AbstractString) = check(t, mesaopt_trainer_save(t, path))
evaluate(t::Trainer; count = 2560) = evaluate(t.model, t.task; count = count)

"The scalars that an attention-only model's weights stand for."
mutable struct RevAlg <: Handle
    ptr::Ptr{Cvoid}
    ctx::Context
    RevAlg(m::Model) = own(new(made(m.ctx, out -> mesaopt_revalg_extract(m, out)), m.ctx), mesaopt_revalg_free)
end

"[heads, 6]: alpha, eta, beta, gamma, p1, p2."
function closed_form(r::RevAlg, heads::Integer)
    out = Matrix{Float64}(undef, heads, 6)
    with_views((), (out,)) do o
        check(r, mesaopt_revalg_closed_form(r, o))
    end
    return out
end

# ---- least squares ----

"A plan of recursive least squares."
mutable struct Solver <: Handle
    ptr::Ptr{Cvoid}
    ctx::Context
    function Solver(ctx::Context, d_key::Integer, d_val::Integer; settings...)
        s = Settings(MESAOPT_SCOPE_LSQ; settings...)
        return own(new(made(ctx, out -> mesaopt_lsq_plan(ctx, s, d_key, d_val, out)), ctx), mesaopt_lsq_free)
    end
end

"out of q, k [B, T, H, d], v [B, T, H, dv]: the mesa layer's solution for every step."
function forward!(s::Solver, q, k, v, out)
    with_views((q, k, v), (out,)) do q, k, v, o
        check(s, mesaopt_lsq_forward(s, q, k, v, o, 0, C_NULL, C_NULL))
    end
    return out
end

"Ridge regression over rows that arrive one by one."
mutable struct Regression <: Handle
    ptr::Ptr{Cvoid}
    ctx::Context
    Regression(s::Solver) = own(new(made(s.ctx, out -> mesaopt_rls_create(s, 1, C_NULL, out)), s.ctx), mesaopt_rls_free)
end

rows(a::AbstractMatrix) = reshape(a, size(a, 1), 1, size(a, 2))

"Takes in rows: keys [n, d_key], values [n, d_val]."
function update!(r::Regression, keys::Matrix, values::Matrix)
    with_views((rows(keys), rows(values)), ()) do k, v
        check(r, mesaopt_rls_update(r, k, v, C_NULL, C_NULL))
    end
    return r
end

"Predictions [n, d_val] for queries [n, d_key]; standard errors into `errors`."
function predict!(r::Regression, queries::Matrix, out::Matrix, errors::Union{Matrix,Nothing} = nothing)
    with_views((rows(queries),), (rows(out), errors === nothing ? nothing : rows(errors))) do q, o, e
        check(r, mesaopt_rls_predict(r, q, o, e))
    end
    return out
end

end
