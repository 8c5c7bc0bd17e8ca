%% Erlang/OTP itself: a gen_server under a supervisor, asked what every contestant is asked.
%%
%%   erl -noshell -eval '...load otp.erl..., otp:main("crash", [2000, 1000000, 10000, 1000, 10000, 100000]).'
%%
%% One JSON object on stdout. The logger is off, as no other contestant reports its crashes either.
-module(otp).
-behaviour(gen_server).
-export([main/2, start_link/1, start_child/1, init/1, handle_call/3, handle_cast/2, handle_info/2]).

main(Task, [Crashes, Letters, Idle, Small, Middle, Large]) ->
    logger:set_primary_config(level, none),
    process_flag(trap_exit, true),
    Figures = case Task of
        "crash" -> crash(Crashes);
        "mailbox" -> mailbox(Letters);
        "idle" -> idle(Idle);
        "scale" -> scale(Small, Middle, Large)
    end,
    Fields = [io_lib:format("\"~s\":~.3f", [Name, float(Value)]) || {Name, Value} <- Figures],
    io:format("{~s}~n", [lists:join(",", Fields)]),
    halt(0).

%% The server: tells the collector when it starts and when it is about to crash.
start_link(Collector) -> gen_server:start_link({local, child}, ?MODULE, {server, Collector}, []).
start_child(Collector) -> gen_server:start_link(?MODULE, {server, Collector}, []).

init({supervisor, Flags, Children}) -> {ok, {Flags, Children}};
init({server, Collector}) ->
    case Collector of
        none -> ok;
        _ -> Collector ! {running, erlang:monotonic_time(nanosecond)}
    end,
    {ok, {Collector, 0}}.

handle_call(sync, _From, State) -> {reply, ok, State}.
handle_cast(letter, {Collector, Count}) -> {noreply, {Collector, Count + 1}};
handle_cast(crash, {Collector, _}) ->
    Collector ! {crashed, erlang:monotonic_time(nanosecond)},
    exit(crashed).
handle_info(_, State) -> {noreply, State}.

supervisor_of(Flags, Children) ->
    {ok, Supervisor} = supervisor:start_link(?MODULE, {supervisor, Flags, Children}),
    Supervisor.
stop(Supervisor) ->
    Monitor = monitor(process, Supervisor),
    exit(Supervisor, shutdown),
    receive {'DOWN', Monitor, process, _, _} -> ok end,
    receive {'EXIT', Supervisor, _} -> ok after 0 -> ok end.

single() ->
    supervisor_of(#{strategy => one_for_one, intensity => 1000000, period => 1},
                  [#{id => child, start => {?MODULE, start_link, [self()]}}]).
crowd() ->
    supervisor_of(#{strategy => simple_one_for_one},
                  [#{id => child, restart => permanent, start => {?MODULE, start_child, [none]}}]).

%% This supervisor walks the list of all restarts of the last second at each restart, and no service restarts a thousand
%% times a second: a fresh one every hundred crashes keeps that list out of the figures, in OTP's favour.
crash(Times) ->
    All = crash_chunks(Times * 2, []),
    Warm = lists:sort(lists:nthtail(Times, All)),
    [{"firstUs", hd(All)}, {"p50Us", lists:nth(Times div 2 + 1, Warm)}, {"p99Us", lists:nth(Times * 99 div 100 + 1, Warm)}].
crash_chunks(0, All) -> lists:reverse(All);
crash_chunks(Left, All) ->
    Supervisor = single(),
    receive {running, _} -> ok end,
    Count = min(Left, 100),
    Chunk = [crash_once() || _ <- lists:seq(1, Count)],
    stop(Supervisor),
    crash_chunks(Left - Count, lists:reverse(Chunk, All)).
crash_once() ->
    gen_server:cast(child, crash),
    receive {crashed, From} -> receive {running, To} -> (To - From) / 1000 end end.

mailbox(Letters) ->
    Supervisor = single(),
    Child = whereis(child),
    Bursts = max(1, Letters div 1000),
    bursts(Child, max(1, Bursts div 4)),
    From = erlang:monotonic_time(nanosecond),
    bursts(Child, Bursts),
    Elapsed = erlang:monotonic_time(nanosecond) - From,
    stop(Supervisor),
    [{"perSecond", Bursts * 1000 * 1.0e9 / Elapsed}].
bursts(_, 0) -> ok;
bursts(Child, Left) ->
    burst(Child, 1000),
    gen_server:call(Child, sync, infinity),
    bursts(Child, Left - 1).
burst(_, 0) -> ok;
burst(Child, Left) -> gen_server:cast(Child, letter), burst(Child, Left - 1).

start_many(_, 0) -> ok;
start_many(Supervisor, Left) ->
    {ok, _} = supervisor:start_child(Supervisor, []),
    start_many(Supervisor, Left - 1).

idle(Count) ->
    Supervisor = crowd(),
    start_many(Supervisor, Count div 4),
    stop(Supervisor),
    Before = used(),
    Next = crowd(),
    start_many(Next, Count),
    After = used(),
    stop(Next),
    [{"bytes", (After - Before) / Count}].
used() ->
    [erlang:garbage_collect(Pid) || Pid <- processes()],
    erlang:memory(total).

scale(Small, Middle, Large) ->
    [scale_once(Small) || _ <- lists:seq(1, 3)],
    {StartSmall, StopSmall} = scale_median(Small, 5),
    {StartMiddle, StopMiddle} = scale_median(Middle, 3),
    {StartLarge, StopLarge} = scale_median(Large, 1),
    [{"startSmallMs", StartSmall}, {"startMiddleMs", StartMiddle}, {"startLargeMs", StartLarge},
     {"stopSmallMs", StopSmall}, {"stopMiddleMs", StopMiddle}, {"stopLargeMs", StopLarge}].
scale_median(Count, Rounds) ->
    {Starts, Stops} = lists:unzip([scale_once(Count) || _ <- lists:seq(1, Rounds)]),
    {middle(Starts), middle(Stops)}.
middle(Values) -> lists:nth(length(Values) div 2 + 1, lists:sort(Values)).
scale_once(Count) ->
    Supervisor = crowd(),
    From = erlang:monotonic_time(nanosecond),
    start_many(Supervisor, Count),
    Up = erlang:monotonic_time(nanosecond),
    stop(Supervisor),
    Down = erlang:monotonic_time(nanosecond),
    {(Up - From) / 1.0e6, (Down - Up) / 1.0e6}.
