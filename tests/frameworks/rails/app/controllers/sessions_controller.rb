class SessionsController < ApplicationController
  before_action :signed_in, only: :show

  def new; end

  def show; end

  def create
    reset_session
    session[:user] = params[:name]
    redirect_to account_path, notice: 'Welcome.'
  end

  def destroy
    reset_session
    redirect_to root_path
  end
end
