using MesaOpt, Test

ctx = Context()

@testset "errors" begin
    e = try Task(ctx; dim = 0) catch e; e end
    @test e isa MesaError && startswith(e.text, "dim: 0, expected")
end

@testset "views of any strides" begin
    task = Task(ctx; dim = 4, length = 12)
    x = draw!(task, zeros(2, 13, 4))
    y = draw!(task, PermutedDimsArray(zeros(4, 13, 2), (3, 2, 1)))
    z = draw!(task, view(zeros(2, 26, 4), :, 1:2:25, :))
    @test x == y == z && any(x .!= 0)
    @test_throws MesaError draw!(task, zeros(2, 4, 13))
end

@testset "training" begin
    model = Model(ctx, "mask(first=8); linear(heads=1,key=5)"; inputs = 16, outputs = 4, dtype = "f64")
    trainer = Trainer(model, Task(ctx; dim = 4, length = 12, tokens = "constructed"); batch = 8)
    @test run!(trainer, 9, s -> s.step == 3) == false
    @test steps(trainer) == 3
    @test_throws ErrorException run!(trainer, 9, s -> error("mine"))
    @test run!(trainer, 9)
    @test size(parameter(model, "blocks.1.query")) == (16, 5)
end

@testset "regression" begin
    r = Regression(Solver(ctx, 2, 1; ridge = 0.5))
    K = [1.0 2; 3 4; 5 7]
    v = reshape([1.0, 2, 4], 3, 1)
    update!(r, K, v)
    p = predict!(r, [1.0 1], zeros(1, 1))
    @test p[1] ≈ ([1 1] * ((K'K + [0.5 0; 0 0.5]) \ (K'v)))[1]
end
